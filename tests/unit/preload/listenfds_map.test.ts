import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { showAsked } from "../../../src/preload/asked_address.ts";
import { parseListenfdsMap } from "../../../src/preload/listenfds_map.ts";
import { anyCharacter } from "../helpers.ts";

test("parseListenfdsMap() reads ports, paths, hosts and asterisks", () => {
  deepStrictEqual(parseListenfdsMap(""), []);
  deepStrictEqual(
    parseListenfdsMap(
      "web=3000,admin=/run/x.sock,metrics=127.0.0.1:9090,web=[::1]:80," +
        "v6=tcp:[::1]:81,abs=@name,any=*,sock=unix:rel.sock,dev=localhost:4000,p=:5",
    ),
    [
      { name: "web", asked: { port: 3000 } },
      { name: "admin", asked: { path: "/run/x.sock" } },
      { name: "metrics", asked: { hostname: "127.0.0.1", port: 9090 } },
      { name: "web", asked: { hostname: "::1", port: 80 } },
      { name: "v6", asked: { hostname: "::1", port: 81 } },
      { name: "abs", asked: { path: "@name" } },
      { name: "any", asked: "*" },
      { name: "sock", asked: { path: "rel.sock" } },
      { name: "dev", asked: { hostname: "localhost", port: 4000 } },
      { name: "p", asked: { port: 5 } },
    ],
  );
});

test("a backslash takes the next character as it is", () => {
  deepStrictEqual(parseListenfdsMap("a\\=b=/x\\,y,c=/d=e\\\\f"), [
    { name: "a=b", asked: { path: "/x,y" } },
    { name: "c", asked: { path: "/d=e\\f" } },
  ]);
  deepStrictEqual(parseListenfdsMap("\\ a\\ =1"), [
    { name: " a ", asked: { port: 1 } },
  ]);
});

test("parseListenfdsMap() says what is wrong", () => {
  const cases: readonly [string, RegExp][] = [
    [
      "3000",
      /^Reading LISTENFDS_MAP: expected entries .* found "3000" without "="$/,
    ],
    ["web=3000,", /found "" without "="/],
    ["=3000", /found an entry without a name/],
    [
      "web=3000, admin=9090",
      /found a space around the name "admin": remove it, or put a backslash before it$/,
    ],
    ["web =3000", /found a space around the name "web"/],
    [" web=3000", /found a space around the name "web"/],
    ["web=", /the entry "web": Parsing the address/],
    ["web=0", /the entry "web": expected a port from 1 to 65535, found 0/],
    ["web=65536", /expected a port from 1 to 65535, found 65536/],
    ["web=::1", /expected an IPv6 address in brackets/],
    ["web=fd:3", /the entry "web": Parsing the address "fd:3"/],
    ["web=udp:53", /expected the address of a stream socket, found "udp:53"/],
    ["web=3000\\", /expected a character after the last backslash/],
    ["web=3000,admin=3000", /each address once, found "web" and "admin"/],
    ["a=*,b=*", /each address once, found "a" and "b"/],
    ["a=/x,b=/x", /each address once/],
    ["a=0.0.0.0:1,b=[::]:1", /each address once/],
    ["\x1b=3000,\x1b[2J", /without "="/],
  ];
  for (const [text, message] of cases) {
    throws(() => parseListenfdsMap(text), { message }, text);
  }
  strictEqual(parseListenfdsMap("web=1,metrics=127.0.0.1:1").length, 2);
  strictEqual(parseListenfdsMap("web=1,web=1").length, 2);
});

test("any text is parsed, or an error that shows it safely", () => {
  fc.assert(
    fc.property(fc.string({ unit: anyCharacter() }), (text) => {
      try {
        parseListenfdsMap(text);
      } catch (error) {
        const { name, message } = error as Error;
        strictEqual(
          ["SyntaxError", "RangeError"].includes(name),
          true,
          message,
        );
        // deno-lint-ignore no-control-regex
        strictEqual(/[\x00-\x1f\x7f-\x9f]/.test(message), false, message);
      }
    }),
    { numRuns: 500 },
  );
});

test("an address that is shown is parsed to the same", () => {
  const plain = { noNullPrototype: true };
  const addresses = fc.oneof(
    fc.record({ port: fc.integer({ min: 1, max: 65535 }) }, plain),
    fc.record({
      hostname: fc.constantFrom("127.0.0.1", "::1", "app.example"),
      port: fc.integer({ min: 1, max: 65535 }),
    }, plain),
    fc.record({ path: fc.stringMatching(/^[/@][\w.,=\\-]+$/) }, plain),
  );
  fc.assert(fc.property(addresses, (asked) => {
    const shown = showAsked(asked).replace(/[\\,=]/g, "\\$&");
    deepStrictEqual(parseListenfdsMap(`web=${shown}`), [{
      name: "web",
      asked,
    }]);
  }));
});
