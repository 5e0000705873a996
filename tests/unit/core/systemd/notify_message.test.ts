/** The text of messages for the service manager. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  encodeNotification,
  MAX_MESSAGE_BYTES,
  type Notification,
  toStatus,
} from "../../../../src/core/systemd/notify_message.ts";
import { anyCharacter, assertThrows, assertThrowsOnly } from "../../helpers.ts";

function encode(notification: Notification): string {
  return encodeNotification(notification, "Notifying", () => 4711n);
}

/**
 * Splits a message as systemd does: at line feeds and carriage returns. It ignores
 * a message that is longer, or that has a NUL byte.
 */
function split(message: string): string[] {
  const bytes = new TextEncoder().encode(message);
  assert.ok(bytes.length <= MAX_MESSAGE_BYTES);
  assert.ok(!bytes.includes(0));
  assert.equal(
    new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    message,
  );
  return message.split(/[\n\r]+/);
}

test("encodeNotification() writes each member as an assignment", () => {
  const all: Notification = {
    ready: true,
    reloading: true,
    stopping: true,
    status: "Grüße",
    errno: 2,
    busError: "org.freedesktop.DBus.Error.TimedOut",
    exitStatus: 0,
    mainPid: 4711,
    watchdog: true,
    watchdogMs: 2500,
    extendTimeoutMs: 0.5,
    variables: { X_STATE: "idle", X_EMPTY: "" },
  };
  assert.deepEqual(encode(all).split("\n").sort(), [
    "BUSERROR=org.freedesktop.DBus.Error.TimedOut",
    "ERRNO=2",
    "EXIT_STATUS=0",
    "EXTEND_TIMEOUT_USEC=500",
    "MAINPID=4711",
    "MONOTONIC_USEC=4711",
    "READY=1",
    "RELOADING=1",
    "STATUS=Grüße",
    "STOPPING=1",
    "WATCHDOG=1",
    "WATCHDOG_USEC=2500000",
    "X_EMPTY=",
    "X_STATE=idle",
  ]);
});

test("encodeNotification() doubles backslashes, which systemd removes", () => {
  assert.equal(encode({ status: "C:\\" }), "STATUS=C:\\\\");
});

test("encodeNotification() leaves out what is false or undefined", () => {
  assert.equal(
    encode({ ready: false, reloading: undefined, status: "" }),
    "STATUS=",
  );
  assert.equal(encode({ watchdog: "trigger" }), "WATCHDOG=trigger");
});

test("encodeNotification() rejects an empty message", () => {
  assertThrows(() => encode({}), RangeError, "empty");
  assertThrows(() => encode({ ready: false }), RangeError, "empty");
});

test("encodeNotification() rejects text that would be another assignment", () => {
  for (const end of ["\n", "\r", "\0", "\n\r", "\ud800", "\udc00x"]) {
    for (
      const notification of [
        { status: `a${end}READY=1` },
        { busError: `a${end}READY=1` },
        { variables: { X_A: `a${end}READY=1` } },
      ]
    ) {
      assertThrows(() => encode(notification), RangeError, "line breaks");
    }
  }
});

test("encodeNotification() rejects names that are no variables", () => {
  for (const name of ["", "x", "A=B", "A B", "A\nREADY", "1A", "Ä"]) {
    assertThrows(() => encode({ variables: { [name]: "1" } }), RangeError);
  }
  for (const name of ["BARRIER", "FDSTORE", "FDNAME", "FDSTOREREMOVE"]) {
    assertThrows(
      () => encode({ variables: { [name]: "1" } }),
      RangeError,
      "descriptor",
    );
  }
});

test("encodeNotification() rejects members of another type", () => {
  for (
    const notification of [
      null,
      "READY=1",
      [],
      { ready: 1 },
      { reloading: "yes" },
      { status: 5 },
      { errno: "2" },
      { watchdog: "1" },
      { extendTimeoutMs: 5n },
      { variables: [] },
      { variables: { X_A: 1 } },
    ]
  ) {
    assertThrows(() => encode(notification as never), TypeError);
  }
});

test("encodeNotification() rejects numbers out of range", () => {
  for (
    const notification of [
      { errno: 0 },
      { errno: -2 },
      { errno: 1.5 },
      { exitStatus: 256 },
      { mainPid: 0 },
      { mainPid: 2 ** 31 },
      { watchdogMs: 0 },
      { watchdogMs: NaN },
      { extendTimeoutMs: Infinity },
      { extendTimeoutMs: -1 },
      { extendTimeoutMs: 1e300 },
    ]
  ) assertThrows(() => encode(notification), RangeError);
});

test("encodeNotification() limits the bytes of a message, not its characters", () => {
  const room = MAX_MESSAGE_BYTES - "STATUS=".length;
  assert.equal(encode({ status: "x".repeat(room) }).length, MAX_MESSAGE_BYTES);
  assertThrows(() => encode({ status: "x".repeat(room + 1) }), RangeError);
  assertThrows(() => encode({ status: "€".repeat(room / 2) }), RangeError);
});

test("encodeNotification() refuses a member that it doesn't know", () => {
  assertThrows(
    () => encode({ redy: true, status: "x" } as never),
    TypeError,
    'found "redy": correct it, or use variables',
  );
});

test("encodeNotification() writes one line for each assignment, or throws", () => {
  const text = fc.string({ unit: anyCharacter() });
  fc.assert(fc.property(
    fc.record({
      ready: fc.boolean(),
      status: text,
      busError: text,
      errno: fc.double(),
      extendTimeoutMs: fc.double(),
      variables: fc.dictionary(fc.oneof(text, fc.constant("X_A")), text),
    }, { requiredKeys: [] }),
    (notification) => {
      const message = assertThrowsOnly(() => encode(notification), [
        RangeError,
      ]);
      if (message === undefined) return;
      const count = Object.entries(notification).filter(([name, value]) =>
        name !== "variables" && value !== false
      ).length + Object.keys(notification.variables ?? {}).length;
      const lines = split(message);
      assert.equal(lines.length, count);
      for (const line of lines) {
        assert.match(line, /^[A-Z_][A-Z0-9_]*=/);
      }
    },
  ));
});

test("toStatus() makes any text a status that can be sent", () => {
  assert.equal(toStatus('a\n"b"\tc'), 'a "b" c');
  fc.assert(fc.property(
    fc.string({ unit: anyCharacter(), maxLength: 5000 }),
    (text) => {
      const lines = split(encode({ status: toStatus(text.repeat(3)) }));
      assert.equal(lines.length, 1);
    },
  ));
});
