/** The metadata of descriptors of every kind, on every runtime, by every source. */

import assert from "node:assert/strict";
import type { InfoReport, SourceName } from "../../fixtures/operations.ts";
import { METADATA_AGENT } from "../../harness/agent.ts";
import {
  become,
  type Handover,
  handOver,
  METADATA_HOSTS,
} from "../../harness/handover.ts";
import { forEachHost, type Host } from "../../harness/hosts.ts";
import { NO_PYTHON } from "../../harness/machine_tools.ts";
import { test } from "../../harness/timed_test.ts";

/** The expected fields of a descriptor; others are not compared. */
type Expected = Readonly<Record<string, unknown>>;

const STREAM = { type: "stream", protocol: 0 };
const TCP = { ...STREAM, protocol: 6 };
const UDP = { type: "datagram", protocol: 17 };
const LISTENER = { kind: "stream-listener", listening: true };
const CONNECTION = { kind: "stream-connection", listening: false };
const IPV4 = { family: "ipv4", "address.kind": "ipv4" };
const IPV6 = { family: "ipv6", "address.kind": "ipv6" };
const UNIX = { family: "unix", protocol: 0 };
const LOCAL4 = { ...IPV4, "address.hostname": "127.0.0.1" };
const LOCAL6 = { ...IPV6, "address.hostname": "::1" };

/** All that `handover.py` makes. */
const EXPECTED: Readonly<Record<string, Expected>> = {
  "tcp4": { ...LISTENER, ...TCP, ...LOCAL4 },
  "tcp4-any": { ...LISTENER, ...TCP, ...IPV4, "address.hostname": "0.0.0.0" },
  "tcp6": { ...LISTENER, ...TCP, ...LOCAL6 },
  "tcp6-any": { ...LISTENER, ...TCP, ...IPV6, "address.hostname": "::" },
  "tcp6-mapped": {
    ...LISTENER,
    ...TCP,
    ...IPV6,
    "address.hostname": "::ffff:127.0.0.1",
  },
  "tcp6-scoped": {
    ...LISTENER,
    ...TCP,
    ...IPV6,
    "address.hostname": "fe80::1234",
    "address.scopeId": 1,
  },
  "tcp4-idle": { kind: "socket", listening: false, ...TCP, ...LOCAL4 },
  "tcp4-unbound": {
    kind: "socket",
    listening: false,
    ...TCP,
    ...IPV4,
    "address.port": 0,
  },
  "tcp4-connection": {
    ...CONNECTION,
    ...TCP,
    ...LOCAL4,
    "peer.kind": "ipv4",
    "peer.hostname": "127.0.0.1",
  },
  "tcp6-connection": {
    ...CONNECTION,
    ...TCP,
    ...LOCAL6,
    "peer.kind": "ipv6",
    "peer.hostname": "::1",
  },
  "mptcp": { ...LISTENER, ...STREAM, protocol: 262, ...LOCAL4 },
  "udp6-scoped": {
    kind: "datagram",
    ...UDP,
    ...IPV6,
    "address.hostname": "ff01::1",
    "address.scopeId": 1,
  },
  "udp4": { kind: "datagram", listening: false, ...UDP, ...LOCAL4 },
  "udp6": { kind: "datagram", listening: false, ...UDP, ...LOCAL6 },
  "udp4-connected": {
    kind: "datagram",
    ...UDP,
    ...LOCAL4,
    "peer.hostname": "127.0.0.1",
    "peer.port": 9,
  },
  "unix": { ...LISTENER, ...STREAM, ...UNIX, "address.path": "FOLDER/unix" },
  "unix-spaces": { ...LISTENER, ...UNIX, "address.path": "FOLDER/un ix @\tü" },
  "unix-lines": { ...LISTENER, ...UNIX, "address.path": "FOLDER/un\nix\n" },
  "unix-longest": { ...LISTENER, ...UNIX, "address.path.length": 107 },
  "unix-bytes": { ...LISTENER, ...UNIX, "address": undefined },
  "unix-abstract": {
    ...LISTENER,
    ...UNIX,
    "address.kind": "unix-abstract",
    "address.name": "listenfds-PID",
  },
  "unix-abstract-odd": {
    ...LISTENER,
    ...UNIX,
    "address.kind": "unix-abstract",
    "address.name": "listenfds-PID\0a@b\0",
  },
  "unix-idle": {
    kind: "socket",
    listening: false,
    ...UNIX,
    "address.path": "FOLDER/idle",
  },
  "unix-connection": {
    ...CONNECTION,
    ...UNIX,
    "address.path": "FOLDER/connection",
    "peer.kind": "unix-unnamed",
  },
  "unix-datagram": {
    kind: "datagram",
    type: "datagram",
    ...UNIX,
    "address.path": "FOLDER/datagram",
  },
  "unix-unnamed": {
    kind: "datagram",
    ...UNIX,
    "address.kind": "unix-unnamed",
  },
  "seqpacket": {
    kind: "seqpacket-listener",
    type: "seqpacket",
    listening: true,
    ...UNIX,
  },
  "seqpacket-connection": {
    kind: "seqpacket-connection",
    type: "seqpacket",
    listening: false,
    ...UNIX,
    "peer.kind": "unix-unnamed",
  },
  "netlink": {
    kind: "netlink",
    family: "netlink",
    type: "raw",
    protocol: 0,
    "address.kind": "netlink",
    "address.groups": 1,
  },
  "vsock": {
    kind: "stream-listener",
    family: "vsock",
    type: "stream",
    "address.kind": "vsock",
    "address.contextId": 2 ** 32 - 1,
  },
  "raw4": { kind: "raw", type: "raw", protocol: 253, ...LOCAL4 },
  "raw6": { kind: "raw", type: "raw", protocol: 253, ...LOCAL6 },
  "packet": { kind: "raw", family: "packet", type: "raw" },
  "fifo": { kind: "fifo", link: "FOLDER/fifo" },
  "pipe": { kind: "fifo" },
  "file": { kind: "file", link: "FOLDER/file" },
  "deleted": { kind: "file", link: "FOLDER/deleted (deleted)" },
  "null": { kind: "character-device", link: "/dev/null", specialDevice: "259" },
  "folder": { kind: "other", link: "FOLDER" },
  "epoll": { kind: "other", link: "anon_inode:[eventpoll]" },
  "mqueue": { kind: "message-queue" },
};

/** The fields that `/proc` doesn't have; the kind is `socket` then. */
const NOT_IN_PROC: Readonly<Record<string, RegExp>> = {
  // They could be of MPTCP.
  ...Object.fromEntries(
    Object.keys(EXPECTED).filter((name) => name.startsWith("tcp")).map((
      name,
    ) => [name, /^protocol$/]),
  ),
  "tcp6-scoped": /^(?:protocol|address\.scopeId)$/,
  "mptcp": /^protocol$/,
  "udp6-scoped": /^address\.scopeId$/,
  // They are in no table.
  "tcp4-idle": /^(?!kind$)/,
  "tcp4-unbound": /^(?!kind$)/,
  "vsock": /^/,
  "packet": /^/,
  // A NUL byte in a name is written like "@".
  "unix-abstract-odd": /^address/,
  // The table has no peers, and that of netlink no types.
  "unix-connection": /^peer/,
  "seqpacket-connection": /^peer/,
  "netlink": /^type$/,
};

/** The sources that each host has, the one that it asks first in front. */
function sourcesOf({ label, runtime }: Host): SourceName[] {
  if (label.endsWith("--allow-ffi")) return ["libc"];
  if (runtime !== "node") return ["libc", "proc"];
  return label === "node 26" ? ["libc", "proc"] : ["proc"];
}

/** A field of nested metadata, such as `address.port`. */
function field(info: InfoReport, path: string): unknown {
  return path.split(".").reduce<unknown>(
    (value, key) => (value as InfoReport | undefined)?.[key],
    info,
  );
}

/** Checks the metadata that a source reports of a descriptor. */
function assertInfo(
  info: InfoReport,
  source: string,
  name: string,
  { directory, maker }: Handover,
): void {
  for (const [path, wanted] of Object.entries(EXPECTED[name]!)) {
    const hidden = source === "proc" && NOT_IN_PROC[name]?.test(path);
    const expected = hidden
      ? (path === "kind" ? "socket" : undefined)
      : typeof wanted === "string"
      ? wanted.replace("FOLDER", directory).replace("PID", String(maker.pid))
      : wanted;
    assert.deepEqual(field(info, path), expected, `${source} ${name} ${path}`);
  }
  assert.equal(info.nonBlocking, false, name);
  assert.equal(info.closeOnExec, true, name);
  assert.match(String(info.inode), /^[1-9]\d*$/, name);
}

/** Checks that two sources agree wherever both report something. */
function assertAgree(first: unknown, second: unknown, what: string): void {
  if (first === undefined || second === undefined) return;
  if (typeof first !== "object") return assert.equal(first, second, what);
  for (const [key, value] of Object.entries(first as InfoReport)) {
    assertAgree(value, (second as InfoReport)[key], `${what} ${key}`);
  }
}

forEachHost(METADATA_HOSTS.filter((host) => host.inspects), (host) => {
  test(`metadata on ${host.label} are right for every kind of descriptor`, {
    skip: NO_PYTHON,
  }, async (t) => {
    const handover = await handOver(t);
    const { names, refused } = handover;
    for (const [name, why] of Object.entries(refused)) {
      t.diagnostic(`not created: ${name}: ${why}`);
    }
    assert.ok(names.length > 30, "most of them can be created");
    const agent = await become(handover, host, METADATA_AGENT);

    const own = await agent.call("infos");
    const sources = sourcesOf(host);
    assert.deepEqual(
      (await agent.call("sources")).toSorted(),
      sources.toSorted(),
    );
    const reported: InfoReport[][] = [];
    for (const source of sources) {
      const infos = await agent.call("infos", source);
      names.forEach((name, index) =>
        assertInfo(infos[index]!, source, name, handover)
      );
      reported.push(infos);
    }
    names.forEach((name, index) => {
      const [first, second] = reported.map((infos) => infos[index]!);
      // The second is asked for what the first can't tell.
      const isTold = first!.kind !== "socket" || first!.type !== undefined;
      assert.deepEqual(own[index], isTold ? first : second ?? first, name);
      const { kind: _, ...rest } = first!;
      assertAgree(rest, second, name);
    });
  });
});

forEachHost(METADATA_HOSTS.filter((host) => !host.inspects), (host) => {
  test(
    `metadata on ${host.label} without permissions are only what is certain`,
    {
      skip: NO_PYTHON,
    },
    async (t) => {
      const handover = await handOver(t);
      const agent = await become(handover, host, METADATA_AGENT);
      const infos = await agent.call("infos");
      handover.names.forEach((name, index) => {
        assert.deepEqual(
          infos[index],
          /^m?p?tcp/.test(name)
            ? { kind: "socket", type: "stream" }
            : { kind: "unknown" },
          name,
        );
      });
    },
  );
});
