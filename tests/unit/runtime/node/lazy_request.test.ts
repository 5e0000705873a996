import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  findLazyRequests,
  isPlainUrl,
} from "../../../../src/runtime/node/lazy_request.ts";

test("isPlainUrl() is false for an empty host, also before any other", () => {
  assert.equal(isPlainUrl("", "/example.org/path"), false);
});

test("isPlainUrl() is true for the usual targets", () => {
  for (
    const target of [
      "/",
      "/a/b.html",
      "/a//b/",
      "/users/%C3%A9?page=2&sort=name",
      "/@scope/name@1.2.3",
      "/?q=/path?",
    ]
  ) {
    assert.equal(isPlainUrl("example.org:8080", target), true, target);
  }
});

test("isPlainUrl() is false where a URL has another form", () => {
  for (
    const [host, target] of [
      ["example.org", "/a/../b"],
      ["example.org", "/."],
      ["example.org", "/a/%2E%2e/b"],
      ["example.org", "/a b"],
      ["example.org", "/a\\b"],
      ["example.org", "/a?b'c"],
      ["example.org", "/a#b"],
      ["example.org", "*"],
      ["example.org", ""],
      ["EXAMPLE.org", "/"],
      ["example.org:80", "/"],
      ["1.2.3.999", "/"],
      ["0x7f.1", "/"],
      ["", "/"],
      ["a:b", "/"],
    ] as const
  ) {
    assert.equal(isPlainUrl(host, target), false, `${host} ${target}`);
  }
});

test("isPlainUrl() is true only for what a URL takes as it is", () => {
  const part = fc.constantFrom(
    ..."/ . ~ % ? & = # ' \" \\ ^ | { } < > ` a Z 0 %2e %2E %2f é ; : @ + !"
      .split(" "),
  );
  const text = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(""));
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().map((address) => `[${address}]`),
    text,
  );
  fc.assert(
    fc.property(host, text, (host, rest) => {
      const target = `/${rest}`;
      fc.pre(/^[^\s/?#@\\]*$/.test(host));
      if (!isPlainUrl(host, target)) return;
      const url = `http://${host}${target}`;
      assert.equal(new URL(url).href, url);
    }),
    { numRuns: 2000 },
  );
});

test("findLazyRequests() finds a way on Deno, and no effect elsewhere", () => {
  let created = 0;
  const lazy = findLazyRequests((url, { method, headers }) => {
    created++;
    return new Request(url, {
      method: method!,
      headers: headers as Record<string, string>,
    });
  });
  if (!("Deno" in globalThis)) {
    assert.equal(lazy, undefined);
    assert.equal(created, 0);
    return;
  }
  const { deno } = (globalThis as unknown as {
    Deno: { version: { deno: string } };
  }).Deno.version;
  // The version that is tested; others may keep the state elsewhere.
  if (!deno.startsWith("2.9.")) return;
  assert.notEqual(lazy, undefined);
  created = 0;
  const request = new Request(lazy!.brand as unknown as string);
  const url = "http://localhost/a?b";
  const incoming = { method: "GET", headers: { host: "localhost" } };
  lazy!.attach(request, url, incoming as never);
  assert.deepEqual([request.url, request.method], [url, "GET"]);
  assert.equal(created, 0, "created for the URL");
  assert.equal(request.headers.get("host"), "localhost");
  request.headers.set("x-own", "1");
  assert.equal(new Request(request).headers.get("x-own"), "1");
  assert.equal(created, 1);
});
