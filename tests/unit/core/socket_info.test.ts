import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isSocketFamily,
  isSocketType,
  type RawSocket,
  socketInfo,
} from "../../../src/core/socket_info.ts";
import { ipv4 } from "../helpers.ts";

const STREAM = 1;
const DATAGRAM = 2;
const SEQPACKET = 5;
const NETLINK = 16;

/** The numbers of Linux, see `socket(2)` and `bits/socket.h`. */
const FAMILIES = {
  unix: 1,
  ipv4: 2,
  ipv6: 10,
  netlink: NETLINK,
  packet: 17,
  vsock: 40,
} as const;
const TYPES = {
  stream: STREAM,
  datagram: DATAGRAM,
  raw: 3,
  rdm: 4,
  seqpacket: SEQPACKET,
  dccp: 6,
  packet: 10,
} as const;

test("socketInfo() names families and types, and keeps unnamed numbers", () => {
  for (const [name, domain] of Object.entries(FAMILIES)) {
    assert.equal(socketInfo({ domain }).family, name);
  }
  for (const [name, type] of Object.entries(TYPES)) {
    assert.equal(socketInfo({ type }).type, name);
  }
  assert.equal(socketInfo({ domain: 38 }).family, 38);
  assert.equal(socketInfo({ type: 7 }).type, 7);
});

test("socketInfo() derives the kind from type and state", () => {
  const cases: readonly [RawSocket, string][] = [
    [{ type: STREAM, listening: true }, "stream-listener"],
    [{ type: STREAM, listening: true, connected: true }, "stream-listener"],
    [{ type: STREAM, listening: false, connected: true }, "stream-connection"],
    [{ type: STREAM, connected: true }, "stream-connection"],
    // The socket may still listen or connect.
    [{ type: STREAM, listening: false, connected: false }, "socket"],
    [{ type: STREAM, listening: false }, "socket"],
    [{ type: STREAM }, "socket"],
    [{ type: SEQPACKET, listening: true }, "seqpacket-listener"],
    [{ type: SEQPACKET, connected: true }, "seqpacket-connection"],
    [{ type: SEQPACKET }, "socket"],
    [{ type: DATAGRAM }, "datagram"],
    [{ type: DATAGRAM, connected: true }, "datagram"],
    [{ type: TYPES.raw }, "raw"],
    [{ type: TYPES.raw, domain: NETLINK }, "netlink"],
    [{ type: DATAGRAM, domain: NETLINK, connected: true }, "netlink"],
    [{ domain: NETLINK }, "netlink"],
    [{ type: TYPES.rdm, listening: true }, "socket"],
    [{ type: TYPES.packet, connected: true }, "socket"],
    [{ type: 7 }, "socket"],
    [{ listening: true, connected: true }, "socket"],
    [{ domain: FAMILIES.ipv4 }, "socket"],
    [{}, "socket"],
  ];
  for (const [socket, kind] of cases) {
    assert.equal(socketInfo(socket).kind, kind, JSON.stringify(socket));
  }
});

test("socketInfo() keeps the protocol, the state and the addresses", () => {
  const address = ipv4("127.0.0.1", 80);
  const peer = ipv4("192.0.2.1", 4711);
  assert.deepEqual(
    socketInfo({
      domain: FAMILIES.ipv4,
      type: STREAM,
      protocol: 6,
      listening: false,
      address,
      peer,
      connected: true,
    }),
    {
      kind: "stream-connection",
      family: "ipv4",
      type: "stream",
      protocol: 6,
      listening: false,
      address,
      peer,
    },
  );
});

test("isSocketFamily() and isSocketType() accept names only", () => {
  for (const name of Object.keys(FAMILIES)) {
    assert.ok(isSocketFamily(name), name);
    assert.equal(isSocketType(name), name in TYPES, name);
  }
  for (const name of Object.keys(TYPES)) assert.ok(isSocketType(name), name);
  for (const other of ["", "inet", "constructor", 1, 2, null, undefined, {}]) {
    assert.ok(!isSocketFamily(other), String(other));
    assert.ok(!isSocketType(other), String(other));
  }
});
