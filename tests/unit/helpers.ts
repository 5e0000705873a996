/** Fixtures and assertions that several unit tests share. */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Address,
  canonicalIpv6,
  type InetAddress,
} from "../../src/core/address.ts";
import { Activation } from "../../src/core/activation.ts";
import { Descriptor } from "../../src/core/descriptor.ts";
import type {
  DescriptorInfo,
  DescriptorKind,
  FileKind,
  Inspector,
  PathInfo,
  SocketKind,
} from "../../src/core/info.ts";
import {
  ActivationError,
  type ActivationErrorCode,
} from "../../src/core/errors.ts";

/**
 * The characters that no message may contain, because they garble a log or a
 * terminal: control characters, line separators, bidirectional controls and lone
 * surrogates.
 */
const UNPRINTABLE: RegExp = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/u;

/**
 * The maximum length of a message for hostile input: 80 quoted characters, up to
 * 480 when escaped, and the sentence around them.
 */
const MESSAGE_LIMIT = 680;

/** The kinds of sockets. */
export const SOCKET_KINDS: readonly SocketKind[] = [
  "stream-listener",
  "stream-connection",
  "datagram",
  "seqpacket-listener",
  "seqpacket-connection",
  "raw",
  "netlink",
  "socket",
];

/** The kinds of open descriptors other than sockets. */
export const FILE_KINDS: readonly FileKind[] = [
  "fifo",
  "file",
  "character-device",
  "message-queue",
  "other",
];

/** The error classes that the library throws beside `ActivationError`. */
type PlainError = typeof SyntaxError | typeof RangeError | typeof TypeError;

/** The result of a predicate; `undefined` means unknown. */
export type Result = boolean | undefined;

/** Returns the error that a function throws. */
export function thrownBy(run: () => unknown): Error {
  let caught: { error: unknown } | undefined;
  try {
    run();
  } catch (error) {
    caught = { error };
  }
  assert.ok(caught !== undefined, "nothing was thrown");
  assert.ok(caught.error instanceof Error, "expected an Error");
  return caught.error;
}

/** Asserts that a message is printable, in the form "Action: problem". */
export function assertMessage(message: string): void {
  assert.match(message, /^[A-Z].*: .*[^.]$/, "the form of a message");
  assert.doesNotMatch(message, UNPRINTABLE);
}

/**
 * Asserts that a function throws an error of exactly this class, or an
 * `ActivationError` of this code, whose message contains all parts.
 */
export function assertThrows(
  run: () => unknown,
  expected: PlainError | ActivationErrorCode,
  ...parts: string[]
): void {
  assertError(thrownBy(run), expected, ...parts);
}

/** Asserts the class or code of an error, and that its message has all parts. */
export function assertError(
  error: unknown,
  expected: PlainError | ActivationErrorCode,
  ...parts: string[]
): asserts error is Error {
  assert.ok(error instanceof Error, `found ${error}`);
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
 * Asserts that a function returns, or throws an error of these classes with a
 * short and printable message. Returns the result, or `undefined` after an error.
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
  assert.ok(error instanceof Error, "expected an Error");
  assert.ok(
    classes.some((errorClass) => error.constructor === errorClass),
    `thrown: ${error.constructor.name}: ${error.message}`,
  );
  assertMessage(error.message);
  assert.ok(error.message.length <= MESSAGE_LIMIT, error.message);
  return undefined;
}

/** Generates text of any UTF-16 units, often hostile ones. */
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

/**
 * Generates any Unicode character, as the unit of a string. The unit `binary` of
 * fast-check does the same, after seconds of preparation in each process.
 */
export function anyCharacter(): fc.Arbitrary<string> {
  const surrogates = { begin: 0xd800, count: 0x800 };
  return fc.nat({ max: 0x10ffff - surrogates.count }).map((index) =>
    String.fromCodePoint(
      index < surrogates.begin ? index : index + surrogates.count,
    )
  );
}

/** Generates the bytes of an IPv4 or IPv6 address, many of them zero. */
export function addressBytes(length: 4 | 16): fc.Arbitrary<number[]> {
  const byte = fc.oneof(fc.constant(0), fc.nat({ max: 255 }));
  return fc.array(byte, { minLength: length, maxLength: length });
}

/** Parses an IPv6 address independently of the library, to check its parser. */
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

/** Creates an IPv4 address. */
export function ipv4(hostname: string, port: number): InetAddress {
  return { kind: "ipv4", hostname, port };
}

/** Creates an IPv6 address. */
export function ipv6(
  hostname: string,
  port: number,
  scopeId?: number,
): InetAddress {
  return {
    kind: "ipv6",
    hostname,
    port,
    ...(scopeId !== undefined && { scopeId }),
  };
}

/** Generates addresses of every kind, with any text that the kernel accepts. */
export function anyAddress(): fc.Arbitrary<Address> {
  const uint32 = fc.nat({ max: 2 ** 32 - 1 });
  const port = fc.nat({ max: 65535 });
  const text = fc.string({ unit: anyCharacter(), maxLength: 26 });
  return fc.oneof(
    fc.record({
      kind: fc.constant("ipv4" as const),
      hostname: fc.ipV4(),
      port,
    }),
    fc.tuple(
      fc.ipV6().map(canonicalIpv6),
      port,
      fc.option(uint32.filter((id) => id > 0), { nil: undefined }),
    ).map((parts) => ipv6(...parts)),
    fc.record({
      kind: fc.constant("unix" as const),
      path: text.map((path) => path.replaceAll("\0", "_") || "/"),
    }),
    fc.record({ kind: fc.constant("unix-abstract" as const), name: text }),
    fc.constant({ kind: "unix-unnamed" as const }),
    fc.record({
      kind: fc.constant("vsock" as const),
      contextId: uint32,
      port: uint32,
    }),
    fc.record({
      kind: fc.constant("netlink" as const),
      portId: uint32,
      groups: uint32,
    }),
  ).map((address) => ({ ...address }));
}

/** Encodes a `struct sockaddr` of a little-endian machine. */
export function sockaddr(address: Address): Uint8Array {
  const encode = (text: string) => new TextEncoder().encode(text);
  switch (address.kind) {
    case "ipv4": {
      const bytes = address.hostname.split(".").map(Number);
      const rest = [...little(0), ...little(0)];
      return Uint8Array.of(2, 0, ...bigPort(address), ...bytes, ...rest);
    }
    case "ipv6": {
      const bytes = [...little(0), ...ipv6Bytes(address.hostname)];
      const scope = little(address.scopeId ?? 0);
      return Uint8Array.of(10, 0, ...bigPort(address), ...bytes, ...scope);
    }
    case "unix":
      return Uint8Array.of(1, 0, ...encode(`${address.path}\0`));
    case "unix-abstract":
      return Uint8Array.of(1, 0, ...encode(`\0${address.name}`));
    case "unix-unnamed":
      return Uint8Array.of(1, 0);
    case "vsock": {
      const { port, contextId } = address;
      const parts = [0, port, contextId, 0].flatMap(little);
      return Uint8Array.of(40, 0, ...parts.slice(2));
    }
    case "netlink": {
      const { portId, groups } = address;
      const parts = [0, portId, groups].flatMap(little);
      return Uint8Array.of(16, 0, ...parts.slice(2));
    }
  }
}

/** Encodes 32 bits, the least significant byte first. */
function little(value: number): number[] {
  return [0, 8, 16, 24].map((bits) => (value >>> bits) & 255);
}

/** Encodes a port in network byte order. */
function bigPort({ port }: InetAddress): number[] {
  return [port >> 8, port & 255];
}

/** Creates the metadata of a path. */
export function file(
  inode: bigint,
  kind: FileKind = "file",
  specialDevice = 0n,
): PathInfo {
  return { kind, device: 1n, inode, specialDevice };
}

/** Creates an inspector of these descriptors and paths only. */
export function inspector(
  infos: Readonly<Record<number, DescriptorInfo>>,
  paths: Readonly<Record<string, PathInfo | null>> = {},
): Inspector {
  return {
    inspect: (fds) => fds.map((fd) => infos[fd] ?? { kind: "closed" }),
    inspectPath: (path) => paths[path],
  };
}

/** Creates such an inspector that records the inspected numbers of each call. */
export function recording(
  infos: Readonly<Record<number, DescriptorInfo>>,
  paths?: Readonly<Record<string, PathInfo | null>>,
): Inspector & { readonly asked: number[][] } {
  const asked: number[][] = [];
  const { inspect, inspectPath } = inspector(infos, paths);
  return {
    asked,
    inspect(fds) {
      asked.push([...fds]);
      return inspect(fds);
    },
    inspectPath,
  };
}

/** Creates a descriptor with its own inspector. */
export function descriptor(
  fd: number,
  name: string,
  info: DescriptorInfo | DescriptorKind = "stream-listener",
  paths: Readonly<Record<string, PathInfo | null>> = {},
): Descriptor {
  const known = typeof info === "string" ? { kind: info } : info;
  return new Descriptor(fd, name, inspector({ [fd]: known }, paths));
}

/** Creates an activation of descriptors, numbered from 3, that closes none. */
export function activate(
  ...passed: (string | [string, DescriptorInfo | DescriptorKind])[]
): Activation {
  const descriptors = passed.map((item, index) => {
    const [name, info] = typeof item === "string" ? [item] : item;
    return descriptor(3 + index, name, info);
  });
  return new Activation(
    descriptors,
    () => assert.fail("nothing may be closed"),
  );
}
