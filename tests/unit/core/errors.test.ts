import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  ActivationError,
  describeValue,
  quote,
  quoteAll,
} from "../../../src/core/errors.ts";
import { anyText, assertMessage } from "../helpers.ts";

test("ActivationError() has a name, a code, a message and a cause", () => {
  const cause = new Error("inner");
  const error = new ActivationError("system", "Doing: it failed", { cause });
  assert.ok(error instanceof Error);
  assert.equal(error.name, "ActivationError");
  assert.equal(error.code, "system");
  assert.equal(error.message, "Doing: it failed");
  assert.equal(error.cause, cause);
  assert.match(String(error), /^ActivationError: Doing: it failed$/);
});

test("ActivationError() has no cause by default", () => {
  assert.ok(!("cause" in new ActivationError("name-count", "Doing: found")));
});

test("quote() encloses text in double quotes", () => {
  assert.equal(quote("web"), '"web"');
  assert.equal(quote(""), '""');
  assert.equal(quote('a"b\\c'), String.raw`"a\"b\\c"`);
  assert.equal(quote("ü٣😀"), '"ü٣😀"');
});

test("quote() escapes characters that garble a terminal or a log", () => {
  assert.equal(quote("a\nb\r\0\t"), String.raw`"a\nb\r\u0000\t"`);
  assert.equal(quote("\u001b[31m"), String.raw`"\u001b[31m"`);
  assert.equal(quote("\u007f\u0085\u009b"), String.raw`"\u007f\u0085\u009b"`);
  assert.equal(quote("\u2028\u2029"), String.raw`"\u2028\u2029"`);
  assert.equal(quote("\ud800x\udc00"), String.raw`"\ud800x\udc00"`);
});

test("quote() escapes invisible characters and those that reorder text", () => {
  assert.equal(
    quote("\u00ad\u061c\u200b\u200f\u202a\u202e\u2060\u2066\u2069\ufeff"),
    String
      .raw`"\u00ad\u061c\u200b\u200f\u202a\u202e\u2060\u2066\u2069\ufeff"`,
  );
});

test("quote() cuts text of more than 80 characters and appends its length", () => {
  const full = "n".repeat(80);
  assert.equal(quote(full), `"${full}"`);
  assert.equal(quote(`${full}n`), `"${full}"… (81 characters)`);
});

test("quote() escapes half a character at the cut", () => {
  const text = `${"n".repeat(79)}😀😀`;
  assert.equal(
    quote(text),
    `"${"n".repeat(79)}\\ud83d"… (83 characters)`,
  );
});

test("quote() keeps any text short and on one printable line", () => {
  fc.assert(fc.property(anyText(), (text) => {
    const quoted = quote(text);
    assertMessage(`Quoting: ${quoted}`);
    assert.ok(quoted.length <= 80 * 6 + 30, quoted);
    if (text.length <= 80) assert.equal(JSON.parse(quoted), text);
  }));
});

test("describeValue() formats a value as JSON or as text", () => {
  const own = { port: 80n, toString: () => "own" };
  for (
    const [value, shown] of [
      [null, '"null"'],
      [undefined, '"undefined"'],
      [80, '"80"'],
      [80n, '"80"'],
      [{}, '"{}"'],
      [[], '"[]"'],
      [Symbol("a\nb"), String.raw`"Symbol(a\nb)"`],
      [own, '"own"'],
    ] as const
  ) {
    assert.equal(describeValue(value), shown);
  }
  assert.equal(describeValue('w"eb'), String.raw`"w\"eb"`);
  assert.equal(
    describeValue(Object.assign(Object.create(null), { port: 80n })),
    '"[object Object]"',
  );
  assert.match(describeValue({ path: 1 }), /^"\{.*path.*\}"$/);
});

test("describeValue() keeps any value short and printable", () => {
  fc.assert(fc.property(fc.anything(), anyText(), (value, text) => {
    for (const input of [value, text, { [text]: text }]) {
      let shown: string;
      try {
        String(input);
        shown = describeValue(input);
      } catch {
        // The value has no text.
        continue;
      }
      assertMessage(`Showing: ${shown}`);
      assert.ok(shown.length <= 80 * 6 + 30, shown);
    }
  }));
});

test("quoteAll() lists quoted names", () => {
  assert.equal(quoteAll(["web"]), '"web"');
  assert.equal(quoteAll(["web", "", "a\nb"]), String.raw`"web", "", "a\nb"`);
  assert.equal(quoteAll(new Set(["x", "y"])), '"x", "y"');
});

test("quoteAll() returns none for no names", () => {
  assert.equal(quoteAll([]), "none");
});

test("quoteAll() counts the names beyond 10", () => {
  const names = (count: number) =>
    Array.from({ length: count }, (_, index) => `n${index}`);
  assert.ok(quoteAll(names(10)).endsWith('"n8", "n9"'));
  assert.ok(quoteAll(names(11)).endsWith('"n8", "n9" and 1 more'));
  assert.ok(quoteAll(names(15)).endsWith('"n8", "n9" and 5 more'));
});

test("quote() escapes tags and other invisible characters", () => {
  assert.equal(quote("a\u{e0041}b"), String.raw`"a\udb40\udc41b"`);
  assert.equal(quote("a\u202eb\u009b"), String.raw`"a\u202eb\u009b"`);
});
