/** The variables of a service manager that wants to be notified. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeVsock } from "../../../../src/core/sockaddr.ts";
import {
  parseNotifySocket,
  parseWatchdog,
} from "../../../../src/core/systemd/notify_socket.ts";
import { decodeSockaddr } from "../../../../src/core/sockaddr.ts";
import { anyCharacter, assertThrows, assertThrowsOnly } from "../../helpers.ts";

test("parseNotifySocket() takes paths and abstract names", () => {
  for (const path of ["/run/systemd/notify", "@/org/x", "/a:b", "@vsock:1:2"]) {
    assert.deepEqual(parseNotifySocket(path), { kind: "unix", path });
  }
});

test("parseNotifySocket() takes vsock addresses", () => {
  assert.deepEqual(parseNotifySocket("vsock:2:1234"), {
    kind: "vsock",
    contextId: 2,
    port: 1234,
  });
  for (const type of ["dgram", "seqpacket", "stream"] as const) {
    assert.deepEqual(parseNotifySocket(`vsock-${type}:2:1234`), {
      kind: "vsock",
      contextId: 2,
      port: 1234,
      type,
    });
  }
  assert.deepEqual(decodeSockaddr(encodeVsock(2, 1234)), {
    kind: "vsock",
    contextId: 2,
    port: 1234,
  });
});

test("parseNotifySocket() rejects what is no address", () => {
  for (
    const text of [
      "",
      "@",
      "notify",
      "./notify",
      " /run/notify",
      "vsock",
      "vsock:",
      "vsock:2",
      "vsock:2:",
      "vsock::1",
      "vsock:2:1:0",
      "vsock:-1:1",
      "vsock:0x2:1",
      "vsock:2:1\n",
      "vsock-raw:2:1",
      "VSOCK:2:1",
    ]
  ) assertThrows(() => parseNotifySocket(text), SyntaxError, "NOTIFY_SOCKET");
});

test("parseNotifySocket() says what it is for, and what to do", () => {
  for (
    const text of [
      "run/notify",
      "vsock:x",
      "vsock:4294967295:1",
      `/${"x".repeat(107)}`,
    ]
  ) {
    assert.throws(
      () => parseNotifySocket(text, "Serving"),
      /^\w+: Serving: reading NOTIFY_SOCKET: expected .*: let the service manager alone set/,
    );
    assert.throws(
      () => parseNotifySocket(text),
      /^\w+: Reading NOTIFY_SOCKET: /,
    );
  }
});

test("parseNotifySocket() rejects addresses that the kernel doesn't take", () => {
  assert.ok(parseNotifySocket(`/${"x".repeat(106)}`));
  assert.ok(parseNotifySocket(`@${"x".repeat(107)}`));
  for (
    const text of [
      `/${"x".repeat(107)}`,
      `/${"ä".repeat(54)}`,
      `@${"x".repeat(108)}`,
      "vsock:4294967295:1",
      "vsock:2:4294967295",
      "vsock:2:99999999999999999999",
    ]
  ) assertThrows(() => parseNotifySocket(text), RangeError, "NOTIFY_SOCKET");
});

test("parseNotifySocket() returns or throws for any text", () => {
  fc.assert(fc.property(fc.string({ unit: anyCharacter() }), (text) => {
    for (const each of [text, `/${text}`, `@${text}`, `vsock:${text}`]) {
      assertThrowsOnly(() => parseNotifySocket(each), [
        SyntaxError,
        RangeError,
      ]);
    }
  }));
});

test("parseWatchdog() reads the timeout and the process", () => {
  assert.equal(parseWatchdog(undefined, undefined), undefined);
  assert.equal(parseWatchdog(undefined, "1"), undefined);
  assert.deepEqual(parseWatchdog("2000000", "4711"), {
    timeoutMs: 2000,
    pid: 4711,
  });
  assert.deepEqual(parseWatchdog("500", undefined), {
    timeoutMs: 0.5,
    pid: undefined,
  });
});

test("parseWatchdog() rejects what is no number", () => {
  for (const text of ["", " 1", "-1", "1.5", "1e3", "0x1", "infinity", "٣"]) {
    assertThrows(() => parseWatchdog(text, undefined), SyntaxError);
    assertThrows(() => parseWatchdog("1", text), SyntaxError);
  }
  const maximum = "18446744073709551615";
  for (const text of ["0", maximum, "9".repeat(1000)]) {
    assertThrows(() => parseWatchdog(text, undefined), RangeError);
  }
  for (const text of ["0", "2147483648"]) {
    assertThrows(() => parseWatchdog("1", text), RangeError);
  }
});
