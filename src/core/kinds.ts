/**
 * Kinds of descriptors: their text in messages, and the check of a kind.
 *
 * @module
 */

import { type Address, formatAddress } from "./address.ts";
import type { Descriptor } from "./descriptor.ts";
import type { DescriptorInfo, DescriptorKind } from "./info.ts";
import { ActivationError, quote } from "./errors.ts";

/** The kinds that this library can adopt. */
export type UsableKind = "stream-listener" | "stream-connection" | "datagram";

/** The kinds that a program can expect. */
export type ExpectedKind = Exclude<
  DescriptorKind,
  "socket" | "other" | "closed" | "unknown"
>;

/** Each kind in messages, with its article. */
const KIND_TEXT: Readonly<Record<DescriptorKind, string>> = {
  "stream-listener": "a listening stream socket",
  "stream-connection": "a connected stream socket",
  "datagram": "a datagram socket",
  "seqpacket-listener": "a listening sequential packet socket",
  "seqpacket-connection": "a connected sequential packet socket",
  "raw": "a raw socket",
  "netlink": "a netlink socket",
  "socket": "a socket",
  "fifo": "a FIFO or pipe",
  "file": "a file",
  "character-device": "a character device",
  "message-queue": "a POSIX message queue",
  "other": "something else (not a socket, FIFO, file or character device)",
  "closed": "not open",
  "unknown": "unknown",
};

/** The setting that passes a descriptor of each kind, see `systemd.socket(5)`. */
const KIND_ADVICE: Readonly<Record<ExpectedKind, string>> = {
  "stream-listener": "set ListenStream= with Accept=no in the socket unit",
  "stream-connection": "set ListenStream= with Accept=yes in the socket unit",
  "datagram": "set ListenDatagram= in the socket unit",
  "seqpacket-listener":
    "set ListenSequentialPacket= with Accept=no in the socket unit",
  "seqpacket-connection":
    "set ListenSequentialPacket= with Accept=yes in the socket unit",
  "raw":
    "set FileDescriptorStoreMax= in the service unit and store the socket, " +
    "because no socket unit passes one",
  "netlink": "set ListenNetlink= in the socket unit",
  "fifo": "set ListenFIFO= in the socket unit",
  "file":
    "set OpenFile= in the service unit, or ListenSpecial= in the socket " +
    "unit for a file of the kernel",
  "character-device": "set ListenSpecial= in the socket unit",
  "message-queue": "set ListenMessageQueue= in the socket unit",
};

/** Checks that a value is a kind that a program can expect. */
export function isExpectedKind(kind: unknown): kind is ExpectedKind {
  return typeof kind === "string" && Object.hasOwn(KIND_ADVICE, kind);
}

/** The kinds that a program can expect, in the order of the documentation. */
export const EXPECTED_KINDS: readonly ExpectedKind[] = Object.keys(
  KIND_ADVICE,
) as ExpectedKind[];

/**
 * Formats metadata for messages: the kind with the address or the link, such as
 * `a datagram socket at 127.0.0.1:53`.
 */
export function describeInfo(info: DescriptorInfo): string {
  const text = info.kind === "socket" && info.listening === false
    ? "a socket that neither listens nor is connected"
    : KIND_TEXT[info.kind];
  if (info.address !== undefined) {
    return `${text} at ${describeAddress(info.address)}`;
  }
  return info.link === undefined ? text : `${text}, ${quote(info.link)}`;
}

/** Formats an address for messages; quotes paths and names as foreign text. */
export function describeAddress(address: Address | undefined): string {
  const text = formatAddress(address);
  return address?.kind === "unix" || address?.kind === "unix-abstract"
    ? quote(text)
    : text;
}

/**
 * Checks that a descriptor is, or may be, of an expected kind. An unknown kind
 * passes, and so does a `socket` whose type allows the expected kind.
 *
 * @param descriptor The descriptor to name in the message.
 * @param info The descriptor's metadata.
 * @param expected The expected kinds, at least one.
 * @param action The first words of the message.
 * @returns `undefined` if the kind fits; otherwise an error with the code
 * `not-open` or `wrong-kind`, for the caller to throw or to collect.
 */
export function judgeKind(
  descriptor: Descriptor,
  info: DescriptorInfo,
  expected: readonly ExpectedKind[],
  action: string,
): ActivationError | undefined {
  if (expected.some((kind) => couldBe(info, kind))) return undefined;
  return info.kind === "closed"
    ? new ActivationError(
      "not-open",
      `${action}: ${descriptor} is not open, because LISTEN_FDS counts more ` +
        `descriptors than were passed, or because the program closed it: let ` +
        `the service manager alone set LISTEN_FDS, and keep the descriptor open`,
    )
    : wrongKind(descriptor, expected, describeInfo(info), action);
}

/** Creates the error for a descriptor of another kind, described by `actual`. */
export function wrongKind(
  descriptor: Descriptor,
  expected: readonly ExpectedKind[],
  actual: string,
  action: string,
): ActivationError {
  const kinds = expected.map((kind) => KIND_TEXT[kind]).join(" or ");
  const advice = expected.map((kind) => KIND_ADVICE[kind]).join(", or ");
  return new ActivationError(
    "wrong-kind",
    `${action}: expected ${kinds}, found ${actual} in ${descriptor}: ${advice}`,
  );
}

/** The socket type of each kind that has exactly one. */
const KIND_TYPE: Readonly<Partial<Record<DescriptorKind, string>>> = {
  "stream-listener": "stream",
  "stream-connection": "stream",
  "datagram": "datagram",
  "seqpacket-listener": "seqpacket",
  "seqpacket-connection": "seqpacket",
  "raw": "raw",
};

function couldBe(info: DescriptorInfo, expected: ExpectedKind): boolean {
  if (info.kind === expected || info.kind === "unknown") return true;
  if (info.kind !== "socket") return false;
  if (expected === "netlink") {
    return info.family === undefined && info.type !== "stream";
  }
  // A socket that doesn't listen may be a connection that has just ended.
  if (expected.endsWith("-listener") && info.listening === false) return false;
  const type = KIND_TYPE[expected];
  return type !== undefined && (info.type === undefined || info.type === type);
}
