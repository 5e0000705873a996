import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Address } from "../../../src/core/address.ts";
import type { AskedAddress } from "../../../src/preload/asked_address.ts";
import { parseListenfdsMap } from "../../../src/preload/listenfds_map.ts";
import {
  type OfferedSocket,
  SocketMatcher,
} from "../../../src/preload/matching.ts";

const ipv4 = (hostname: string, port: number): Address => ({
  kind: "ipv4",
  hostname,
  port,
});
const ipv6 = (hostname: string, port: number): Address => ({
  kind: "ipv6",
  hostname,
  port,
});
const socket = (name: string, address?: Address): OfferedSocket => ({
  name,
  address,
});

function matcher(
  sockets: OfferedSocket[],
  map = "",
  bindsUnmatched = false,
  sameFile?: (a: string, b: string) => boolean,
) {
  return new SocketMatcher(
    sockets,
    parseListenfdsMap(map),
    bindsUnmatched,
    sameFile,
  );
}

/** The sockets that a call gets, or the kind of what it gets instead. */
function ask(
  from: SocketMatcher<OfferedSocket>,
  asked: AskedAddress,
): OfferedSocket[] | string {
  const result = from.match(asked, "listen()");
  return result.kind === "take" ? [...result.sockets] : result.kind;
}

test("a socket whose own address is asked for is taken", () => {
  const web4 = socket("web", ipv4("0.0.0.0", 80));
  const web6 = socket("web", ipv6("::", 80));
  const tls = socket("web", ipv4("0.0.0.0", 443));
  const admin = socket("admin", ipv4("127.0.0.1", 9090));
  const path = socket("sock", { kind: "unix", path: "/run/x.sock" });
  const abstract = socket("name", { kind: "unix-abstract", name: "x" });
  const all = matcher([web4, web6, tls, admin, path, abstract]);
  deepStrictEqual(ask(all, { port: 80 }), [web4, web6]);
  deepStrictEqual(ask(all, { port: 80, hostname: "::" }), [web4, web6]);
  deepStrictEqual(ask(all, { port: 80, hostname: "0.0.0.0" }), [web4, web6]);
  deepStrictEqual(ask(all, { port: 443 }), [tls]);
  strictEqual(ask(all, { port: 80, hostname: "127.0.0.1" }), "unmatched");
  strictEqual(ask(all, { port: 9090 }), "unmatched");
  deepStrictEqual(ask(all, { port: 9090, hostname: "localhost" }), [admin]);
  deepStrictEqual(
    ask(all, { port: 9090, hostname: "::ffff:127.0.0.1" }),
    [admin],
  );
  deepStrictEqual(ask(all, { path: "/run/x.sock" }), [path]);
  strictEqual(ask(all, { path: "/var/run/x.sock" }), "unmatched");
  deepStrictEqual(ask(all, { path: "@x" }), [abstract]);
});

test("a path that leads to the socket's file is the same", () => {
  const path = socket("sock", { kind: "unix", path: "/run/x.sock" });
  const all = matcher(
    [path],
    "",
    false,
    (a, b) => a.replace("/var", "") === b.replace("/var", ""),
  );
  deepStrictEqual(ask(all, { path: "/var/run/x.sock" }), [path]);
});

test("the map gives all sockets of a name, and these to nothing else", () => {
  const web = socket("web", ipv4("0.0.0.0", 80));
  const tls = socket("web", ipv4("0.0.0.0", 443));
  const admin = socket("admin", { kind: "unix", path: "/run/admin.sock" });
  const all = matcher(
    [web, tls, admin],
    "web=3000,admin=127.0.0.1:9090,web=/run/app.sock",
  );
  deepStrictEqual(ask(all, { port: 3000 }), [web, tls]);
  deepStrictEqual(ask(all, { port: 3000, hostname: "127.0.0.1" }), [web, tls]);
  deepStrictEqual(ask(all, { path: "/run/app.sock" }), [web, tls]);
  deepStrictEqual(ask(all, { port: 9090, hostname: "localhost" }), [admin]);
  strictEqual(ask(all, { port: 9090 }), "unmatched");
  // The map says what is asked for, so the bound port is no rule any more.
  strictEqual(ask(all, { port: 80 }), "unmatched");
  strictEqual(ask(all, { path: "/run/admin.sock" }), "unmatched");
});

test("the more exact entry of the map wins", () => {
  const web = socket("web", ipv4("0.0.0.0", 80));
  const metrics = socket("metrics", ipv4("0.0.0.0", 81));
  const all = matcher([web, metrics], "web=3000,metrics=127.0.0.1:3000");
  deepStrictEqual(ask(all, { port: 3000, hostname: "127.0.0.1" }), [metrics]);
  deepStrictEqual(ask(all, { port: 3000 }), [web]);
});

test("an asterisk takes any address once, but none that another socket has", () => {
  const web = socket("web", ipv4("0.0.0.0", 80));
  const admin = socket("admin", ipv4("127.0.0.1", 9090));
  const all = matcher([web, admin], "web=*");
  deepStrictEqual(ask(all, { port: 9090, hostname: "127.0.0.1" }), [admin]);
  deepStrictEqual(ask(all, { port: 3000 }), [web]);
  all.take([web], "listen(3000)");
  const second = all.match({ path: "/run/x" }, 'listen("/run/x")');
  strictEqual(second.kind, "second");
  match(
    (second as { message: string }).message,
    /^listen\("\/run\/x"\): the socket "web" is in use since listen\(3000\): .*in place of "\*"$/,
  );
  // The program knows this port from its server alone.
  strictEqual(ask(all, { port: 80, hostname: "127.0.0.1" }), "taken");
  strictEqual(ask(all, { port: 80, hostname: "192.0.2.1" }), "taken");
  all.release([web]);
  deepStrictEqual(ask(all, { port: 3001 }), [web]);
});

test("a socket is taken once", () => {
  const web = socket("web", ipv4("0.0.0.0", 80));
  const all = matcher([web], "", true);
  all.take([web], "listen(80)");
  strictEqual(ask(all, { port: 80 }), "taken");
  all.release([web]);
  deepStrictEqual(ask(all, { port: 80 }), [web]);
  strictEqual(ask(all, { port: 81 }), "bind");
});

test("the error of an unmatched call says what to set", () => {
  const message = (sockets: OfferedSocket[], asked: AskedAddress, map = "") => {
    const result = matcher(sockets, map).match(asked, "listen(3000)");
    return (result as { message?: string }).message;
  };
  const web = socket("web", ipv4("0.0.0.0", 80));
  strictEqual(
    message([web], { port: 3000 }),
    'listen(3000): no socket handed over has this port ("web" is 0.0.0.0:80): ' +
      "set LISTENFDS_MAP=web=3000",
  );
  strictEqual(
    message([web, socket("a=b", ipv6("::1", 81))], { path: "/run/a,b" }),
    'listen(3000): no socket handed over has this path ("web" is 0.0.0.0:80, ' +
      '"a=b" is [::1]:81): set LISTENFDS_MAP=NAME=/run/a\\,b, with the name of ' +
      "the socket that is meant",
  );
  strictEqual(
    message([socket("web")], { port: 3000, hostname: "::1" }),
    "listen(3000): the addresses of the sockets can't be read here (the address " +
      'of "web" is unknown): set LISTENFDS_MAP=web=[::1]:3000',
  );
  strictEqual(
    message([web], { port: 3000 }, "app=3000"),
    'listen(3000): LISTENFDS_MAP gives 3000 to "app", which was not handed over ' +
      '("web" is 0.0.0.0:80): set FileDescriptorName=app in the socket unit, or ' +
      "LISTENFDS_MAP=web=3000",
  );
  for (const map of ["", "web=3000"]) {
    strictEqual(
      message([], { port: 3000 }, map),
      "listen(3000): no stream listener was handed over: set ListenStream= and " +
        "Accept=no in the socket unit",
    );
  }
});

const names = fc.constantFrom("web", "admin", "metrics");
const hosts = fc.constantFrom(
  "0.0.0.0",
  "127.0.0.1",
  "::",
  "::1",
  "::ffff:127.0.0.1",
);
const ports = fc.integer({ min: 1, max: 4 });
const paths = fc.constantFrom("/a", "/b", "@a");
const addresses: fc.Arbitrary<Address> = fc.oneof(
  fc.record({ hostname: hosts, port: ports }).map(({ hostname, port }) =>
    hostname.includes(":") ? ipv6(hostname, port) : ipv4(hostname, port)
  ),
  paths.map((path): Address =>
    path.startsWith("@")
      ? { kind: "unix-abstract", name: path.slice(1) }
      : { kind: "unix", path }
  ),
);
const asked: fc.Arbitrary<AskedAddress> = fc.oneof(
  fc.record({
    port: ports,
    hostname: fc.option(
      fc.oneof(hosts, fc.constant("localhost"), fc.constant("app.example")),
      { nil: undefined },
    ),
  }),
  paths.map((path) => ({ path })),
);
const sockets = fc.array(
  fc.record({
    name: names,
    address: fc.option(addresses, { nil: undefined }),
  }),
  { maxLength: 5 },
);
const entries = fc.array(
  fc.record({ name: names, asked: fc.oneof(asked, fc.constant("*" as const)) }),
  { maxLength: 3 },
);
const calls = fc.array(
  fc.record({ asked, closes: fc.boolean() }),
  { maxLength: 8 },
);

/** The hosts of the generators by what they reach, written down by hand. */
const REACHED: Readonly<Record<string, readonly string[]>> = {
  "0.0.0.0": ["all"],
  "::": ["all"],
  "127.0.0.1": ["loopback 4"],
  "::ffff:127.0.0.1": ["loopback 4"],
  "::1": ["loopback 6"],
  localhost: ["loopback 4", "loopback 6"],
  "app.example": ["app"],
};

/** Whether two addresses are the same by the rules of the page, not by the code. */
function isSame(
  a: { port: number; hostname?: string | undefined } | { path: string },
  b: AskedAddress,
): boolean {
  if ("path" in a || "path" in b) {
    return "path" in a && "path" in b && a.path === b.path;
  }
  const [reached, other] = [a, b].map(({ hostname = "::" }) =>
    REACHED[hostname]!
  );
  return a.port === b.port && reached!.some((host) => other!.includes(host));
}

function hasAddress(address: Address, wanted: AskedAddress): boolean {
  return isSame(
    address.kind === "unix-abstract"
      ? { path: `@${address.name}` }
      : address as { port: number; hostname: string },
    wanted,
  );
}

/** Whether a rule gives a socket to a call, by itself and as written. */
function isGiven(
  one: OfferedSocket,
  all: readonly OfferedSocket[],
  map: readonly { name: string; asked: AskedAddress | "*" }[],
  wanted: AskedAddress,
): boolean {
  if (map.some(({ name }) => name === one.name)) {
    return map.some(({ name, asked }) =>
      name === one.name && (asked === "*" ||
        // Without a host, an entry stands for all hosts.
        isSame(
          "port" in asked && asked.hostname === undefined &&
            "port" in wanted
            ? { ...wanted, port: asked.port }
            : asked,
          wanted,
        ))
    );
  }
  const { address } = one;
  if (address === undefined) return false;
  if (hasAddress(address, wanted)) return true;
  return "port" in wanted && "port" in address &&
    address.port === wanted.port &&
    all.some((other) =>
      other.name === one.name && other.address !== undefined &&
      hasAddress(other.address, wanted)
    );
}

test("a call only ever gets free sockets that a rule gives it", () => {
  fc.assert(
    fc.property(sockets, entries, fc.boolean(), calls, (
      all,
      map,
      bindsUnmatched,
      sequence,
    ) => {
      const matcher = new SocketMatcher(all, map, bindsUnmatched);
      const inUse = new Set<OfferedSocket>();
      for (const { asked, closes } of sequence) {
        const result = matcher.match(asked, "listen()");
        if (result.kind !== "take") {
          if (result.kind !== "bind") match(result.message, /^listen\(\): /);
          else ok(bindsUnmatched);
          continue;
        }
        strictEqual(new Set(result.sockets).size, result.sockets.length);
        for (const one of result.sockets) {
          ok(!inUse.has(one));
          ok(isGiven(one, all, map, asked));
        }
        matcher.take(result.sockets, "listen()");
        if (closes) matcher.release(result.sockets);
        else for (const one of result.sockets) inUse.add(one);
      }
    }),
    { numRuns: 2000 },
  );
});

test("the order of the calls doesn't change what a call may get", () => {
  fc.assert(
    fc.property(sockets, entries, asked, asked, (all, map, a, b) => {
      const alone = (wanted: AskedAddress) =>
        new SocketMatcher(all, map, false).match(wanted, "listen()");
      const matcher = new SocketMatcher(all, map, false);
      const first = matcher.match(a, "listen()");
      if (first.kind === "take") matcher.take(first.sockets, "listen()");
      const second = matcher.match(b, "listen()");
      // The same sockets as without the first call, or none.
      if (second.kind === "take") deepStrictEqual(second, alone(b));
    }),
    { numRuns: 2000 },
  );
});
