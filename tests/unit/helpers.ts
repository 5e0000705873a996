/** What several of the unit tests share. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Address } from "../../src/core/address.ts";
import {
  Descriptor,
  type DescriptorInfo,
  type DescriptorKind,
} from "../../src/core/descriptor.ts";
import {
  ActivationError,
  type ActivationErrorCode,
} from "../../src/core/errors.ts";

/**
 * What no message may hold, since it garbles a log or a terminal: control
 * characters, line separators, what reorders text, and lone surrogates.
 */
const UNPRINTABLE: RegExp = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/u;

/**
 * The longest message for hostile input: 80 characters of it, which are up to
 * 480 once escaped, and the sentence around them.
 */
const MESSAGE_LIMIT = 680;

/** The error classes that are expected beside `ActivationError`. */
type PlainError = typeof SyntaxError | typeof RangeError | typeof TypeError;

/** Gives what a function throws. */
export function thrownBy(run: () => unknown): Error {
  let caught: { error: unknown } | undefined;
  try {
    run();
  } catch (error) {
    caught = { error };
  }
  assert.ok(caught !== undefined, "nothing was thrown");
  assert.ok(caught.error instanceof Error, "what was thrown is no Error");
  return caught.error;
}

/** Asserts what all messages of the library have in common. */
export function assertMessage(message: string): void {
  assert.match(message, /^[A-Z].*: .*[^.]$/, "the form of a message");
  assert.doesNotMatch(message, UNPRINTABLE);
}

/**
 * Asserts that a function throws an error of exactly this class, or an
 * `ActivationError` of this code, whose message holds all parts.
 */
export function assertThrows(
  run: () => unknown,
  expected: PlainError | ActivationErrorCode,
  ...parts: string[]
): void {
  const error = thrownBy(run);
  if (typeof expected === "string") {
    assert.ok(error instanceof ActivationError, `found ${error}`);
    assert.equal(error.code, expected);
  } else {
    assert.equal(error.constructor, expected, `found ${error}`);
  }
  assertMessage(error.message);
  for (const part of parts) {
    assert.ok(
      error.message.includes(part),
      `expected ${JSON.stringify(part)} in ${JSON.stringify(error.message)}`,
    );
  }
}

/**
 * Asserts that a function that is given hostile text returns, or throws one of
 * some classes with a message that is short and safe to print.
 *
 * @returns What it returned; `undefined` if it threw.
 */
export function assertThrowsOnly<T>(
  run: () => T,
  classes: readonly (PlainError | typeof ActivationError)[],
): T | undefined {
  let error: unknown;
  try {
    return run();
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error instanceof Error, "what was thrown is no Error");
  assert.ok(
    classes.some((each) => error.constructor === each),
    `thrown: ${error.constructor.name}: ${error.message}`,
  );
  assertMessage(error.message);
  assert.ok(error.message.length <= MESSAGE_LIMIT, error.message);
  return undefined;
}

/** Any text: every UTF-16 unit, lone surrogates too, many of them nasty. */
export function anyText(): fc.Arbitrary<string> {
  return fc.string({
    unit: fc.oneof(
      fc.constantFrom("\0", "\n", "\u001b", "\u009b", "\u202e", '"', "\\", ":"),
      fc.constantFrom("0", "1", "9", "a", "-", "٣", "é", "😀", "\ud800"),
      fc.integer({ min: 0, max: 0xffff }).map((unit) =>
        String.fromCharCode(unit)
      ),
    ),
    maxLength: 120,
    size: "max",
  });
}

/** The bytes of an IPv4 or IPv6 address, many of them zero. */
export function addressBytes(length: 4 | 16): fc.Arbitrary<number[]> {
  const byte = fc.oneof(fc.constant(0), fc.nat({ max: 255 }));
  return fc.array(byte, { minLength: length, maxLength: length });
}

/** Reads an IPv6 address, in a way of its own, to check the library's. */
export function ipv6Bytes(text: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const [, head = text, ...quad] = dotted ?? [];
  const [left, right] = head.replace(/([^:]):$/, "$1").split("::").map((side) =>
    side.split(":").filter((group) => group !== "").flatMap((group) => {
      const value = parseInt(group, 16);
      return [value >> 8, value & 255];
    })
  );
  const tail = [...(right ?? []), ...quad.map(Number)];
  if (right === undefined) return [...left!, ...tail];
  const zeros = Array<number>(16 - left!.length - tail.length).fill(0);
  return [...left!, ...zeros, ...tail];
}

/** An IPv4 address. */
export function ipv4(hostname: string, port: number): Address {
  return { kind: "ipv4", hostname, port };
}

/** An IPv6 address. */
export function ipv6(hostname: string, port: number): Address {
  return { kind: "ipv6", hostname, port };
}

/** A descriptor that is what it is said to be. */
export function descriptor(
  fd: number,
  name: string,
  info: DescriptorInfo | DescriptorKind = "stream-listener",
): Descriptor {
  return new Descriptor(
    fd,
    name,
    () => typeof info === "string" ? { kind: info } : info,
  );
}
