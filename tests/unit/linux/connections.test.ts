import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "../../../src/core/address.ts";
import { Libc } from "../../../src/ffi/libc.ts";
import {
  endConnections,
  openConnections,
} from "../../../src/linux/connections.ts";
import {
  EBADF,
  FakeLibc,
  type FakeMachine,
  REGULAR,
  SOCKET,
} from "../ffi/fake_libc.ts";
import { ipv4, ipv6, sockaddr } from "../helpers.ts";

const CLIENT = sockaddr(ipv4("127.0.0.1", 50000));

/** A process with a listener, connections of its own and of others. */
function machine(rest: Partial<FakeMachine> = {}): FakeMachine {
  const socket = (address: Address, more: object = {}) => ({
    mode: SOCKET,
    name: sockaddr(address),
    ...more,
  });
  return {
    files: {
      3: socket(ipv4("127.0.0.1", 80)),
      4: { mode: REGULAR },
      5: socket(ipv4("127.0.0.1", 80), { peer: CLIENT }),
      6: socket(ipv4("127.0.0.1", 80), { peer: CLIENT, input: 3 }),
      7: socket(ipv4("127.0.0.1", 81), { peer: CLIENT, input: 3 }),
      8: socket(ipv4("127.0.0.2", 80), { peer: CLIENT, input: 3 }),
      // A connection to somewhere else.
      9: socket(ipv4("127.0.0.1", 50001), {
        peer: sockaddr(ipv4("127.0.0.1", 80)),
      }),
      10: socket({ kind: "unix", path: "/run/x" }, {
        peer: sockaddr({ kind: "unix-unnamed" }),
      }),
      11: socket(ipv6("::ffff:7f00:1", 80), { peer: CLIENT }),
    },
    texts: { "/proc/self/status": "FDSize:\t64\n" },
    ...rest,
  };
}

function counted(listening: readonly Address[], rest?: Partial<FakeMachine>) {
  return openConnections(new Libc(new FakeLibc(machine(rest))), listening);
}

test("openConnections() counts the connections accepted at the addresses", () => {
  assert.deepEqual(counted([ipv4("127.0.0.1", 80)]), {
    count: 2,
    hasInput: true,
  });
  assert.deepEqual(counted([ipv4("127.0.0.1", 82)]), {
    count: 0,
    hasInput: false,
  });
  assert.deepEqual(counted([{ kind: "unix", path: "/run/x" }]), {
    count: 1,
    hasInput: false,
  });
  assert.equal(
    counted([ipv4("127.0.0.1", 80), { kind: "unix", path: "/run/x" }])?.count,
    3,
  );
});

test("openConnections() counts all addresses of a listener on all of them", () => {
  assert.equal(counted([ipv4("0.0.0.0", 80)])?.count, 3);
  assert.equal(counted([ipv4("0.0.0.0", 81)])?.count, 1);
  // Over IPv4, too, but not the connections of another listener at 0.0.0.0.
  assert.equal(counted([ipv6("::", 80)])?.count, 1);
  assert.equal(counted([ipv6("::", 81)])?.count, 0);
});

test("openConnections() returns undefined where it can't count", () => {
  assert.equal(
    counted([ipv4("127.0.0.1", 80)], { failing: { open: 24 } }),
    undefined,
  );
});

test("endConnections() shuts down accepted connections, and nothing else", () => {
  const raw = new FakeLibc(machine());
  endConnections(new Libc(raw), [ipv4("127.0.0.1", 80)]);
  const ended = [...raw.files].filter(([, { isShutDown }]) => isShutDown);
  assert.deepEqual(ended.map(([fd]) => fd), [5, 6]);
});

test("endConnections() goes on after a connection that is gone", () => {
  const raw = new FakeLibc(machine({ failing: { shutdown: EBADF } }));
  endConnections(new Libc(raw), [ipv4("127.0.0.1", 80)]);
  assert.equal(raw.calls.filter((call) => /^shutdown/.test(call)).length, 2);
});
