import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  commandLine,
  environmentWord,
  plainValue,
} from "../../../../../src/cli/shared/systemd/unit_text.ts";
import { UsageError } from "../../../../../src/cli/shared/verb.ts";
import { anyText } from "../../../helpers.ts";

/** What an escape in a unit means, by its letter. */
const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  s: " ",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

/**
 * Reads a command line as systemd does: words, quotes and escapes first, then
 * specifiers, then, but in the program, variables.
 */
function readCommandLine(text: string): string[] {
  const words: string[] = [];
  let at = 0;
  const isSpace = (char: string | undefined) => /^[ \t\n\r]$/.test(char ?? "");
  for (;;) {
    while (isSpace(text[at])) at++;
    if (at >= text.length) break;
    assert.ok(!/^;(?:\s|$)/.test(text.slice(at)), "a second command");
    let word = "";
    let open: string | undefined;
    for (; at < text.length; at++) {
      const char = text[at]!;
      if (char === "\\") {
        const escape = text[++at]!;
        if (escape === "x") {
          word += String.fromCharCode(parseInt(text.slice(at + 1, at + 3), 16));
          at += 2;
        } else if (escape === "u" || escape === "U") {
          const digits = escape === "u" ? 4 : 8;
          const hex = text.slice(at + 1, at + 1 + digits);
          word += String.fromCodePoint(parseInt(hex, 16));
          at += digits;
        } else {
          assert.ok(escape in ESCAPES, `the escape \\${escape}`);
          word += ESCAPES[escape];
        }
      } else if (char === open) {
        open = undefined;
      } else if (open === undefined && (char === '"' || char === "'")) {
        open = char;
      } else if (open === undefined && isSpace(char)) {
        break;
      } else {
        word += char;
      }
    }
    assert.equal(open, undefined, "a quote that is not closed");
    words.push(word);
  }
  const [program, ...args] = words.map((word) => readSpecifiers(word));
  return [
    program!,
    ...args.map((word) => {
      assert.doesNotMatch(word.replaceAll("$$", ""), /\$/, "a variable");
      return word.replaceAll("$$", "$");
    }),
  ];
}

function readSpecifiers(word: string): string {
  assert.doesNotMatch(word.replaceAll("%%", ""), /%/, "a specifier");
  return word.replaceAll("%%", "%");
}

/** Characters that systemd refuses (`unichar_is_valid()`): all of two kinds. */
const NONCHARACTERS: readonly string[] = [
  ...Array.from({ length: 32 }, (_, index) => 0xfdd0 + index),
  ...Array.from({ length: 17 }, (_, plane) => (plane << 16) + 0xfffe),
  ...Array.from({ length: 17 }, (_, plane) => (plane << 16) + 0xffff),
].map((code) => String.fromCodePoint(code));

const wellFormed = anyText().map((text) =>
  text.replace(/\0|\p{Surrogate}|\p{Noncharacter_Code_Point}/gu, "")
);

test("commandLine() writes words that are read the same", () => {
  fc.assert(
    fc.property(fc.array(wellFormed), (words) => {
      const line = commandLine(["/bin/x", ...words]);
      // One line of a file, which goes on on the next one if it ends like this.
      assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\\$/u);
      assert.deepEqual(readCommandLine(line), ["/bin/x", ...words]);
    }),
  );
});

test("commandLine() quotes only what has to be", () => {
  const cases: [string, string][] = [
    ["--flag=a/b.c,d:e@f+g", "--flag=a/b.c,d:e@f+g"],
    ["", '""'],
    ["a b", '"a b"'],
    ['say "hi"', String.raw`"say \"hi\""`],
    ["it's", `"it's"`],
    ["a\\b", String.raw`"a\\b"`],
    ["100%", '"100%%"'],
    ["$HOME", '"$$HOME"'],
    [";", '";"'],
    ["a\nb\t\x1b", String.raw`"a\nb\t\x1b"`],
    ["é", '"é"'],
    ["\x85\u202e", String.raw`"\u0085\u202e"`],
    ["\u{e0041}", String.raw`"\U000e0041"`],
  ];
  for (const [word, written] of cases) {
    assert.equal(commandLine(["/bin/x", word]), `/bin/x ${written}`);
  }
});

test("commandLine() leaves a dollar sign in the program's path", () => {
  assert.equal(commandLine(["/opt/$a b%/x"]), '"/opt/$a b%%/x"');
});

test("commandLine() refuses a program that systemd doesn't start", () => {
  for (const path of ['/a"b', "/a'b", "/a\\b", "/a\nb"]) {
    assert.throws(() => commandLine([path]), UsageError, path);
  }
});

test("commandLine() refuses what is no text", () => {
  for (const word of ["a\0b", "\ud800", ...NONCHARACTERS]) {
    assert.throws(() => commandLine(["/bin/x", word]), UsageError);
    assert.throws(() => commandLine([`/bin/${word}`]), UsageError);
    assert.throws(() => plainValue(`a${word}b`, "description"), UsageError);
  }
});

test("plainValue() escapes specifiers, and refuses what isn't read the same", () => {
  assert.equal(plainValue('100% "a" \\b $c', "text"), '100%% "a" \\b $c');
  for (
    const text of ["", " a", "a ", "a\nb", "a\\", "a\x7f", "\ud800", "\0"]
      .concat("a\u202eb", "a\u2028b", "a\x9bb")
  ) {
    assert.throws(
      () => plainValue(text, "description"),
      (error) =>
        error instanceof UsageError &&
        error.message.startsWith("Writing the description "),
      JSON.stringify(text),
    );
  }
});

test("environmentWord() keeps specifiers", () => {
  assert.equal(environmentWord("DENO_DIR=%C/x"), '"DENO_DIR=%C/x"');
});
