/**
 * Kinds of descriptors in words, and checks that one is of the kind that a use
 * needs.
 *
 * @module
 */

import { type Address, formatAddress } from "./address.ts";
import type { Descriptor } from "./descriptor.ts";
import type { DescriptorInfo, DescriptorKind } from "./info.ts";
import { ActivationError, quote } from "./errors.ts";

/** The kinds that this library makes something of. */
export type UsableKind = "stream-listener" | "stream-connection" | "datagram";

/** The kinds that a program can ask for. */
export type ExpectedKind = Exclude<
  DescriptorKind,
  "socket" | "other" | "closed" | "unknown"
>;

/** What each kind is in words, with its article. */
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
  "other": "something else (no socket, FIFO, file or character device)",
  "closed": "not open",
  "unknown": "unknown",
};

/** What to do to be passed a descriptor of each kind, see `systemd.socket(5)`. */
const KIND_ADVICE: Readonly<Record<ExpectedKind, string>> = {
  "stream-listener": "set ListenStream= with Accept=no in the socket unit",
  "stream-connection": "set ListenStream= with Accept=yes in the socket unit",
  "datagram": "set ListenDatagram= in the socket unit",
  "seqpacket-listener":
    "set ListenSequentialPacket= with Accept=no in the socket unit",
  "seqpacket-connection":
    "set ListenSequentialPacket= with Accept=yes in the socket unit",
  "raw": "no socket unit passes one, only the service's descriptor store " +
    "(FileDescriptorStoreMax=)",
  "netlink": "set ListenNetlink= in the socket unit",
  "fifo": "set ListenFIFO= in the socket unit",
  "file": "set OpenFile= in the service unit, or for a file of the kernel's " +
    "ListenSpecial= in the socket unit",
  "character-device": "set ListenSpecial= in the socket unit",
  "message-queue": "set ListenMessageQueue= in the socket unit",
};

/** Tells whether a program can ask for something as a kind. */
export function isExpectedKind(kind: unknown): kind is ExpectedKind {
  return typeof kind === "string" && Object.hasOwn(KIND_ADVICE, kind);
}

/** The kinds that a program can ask for, in the order of the documentation. */
export const EXPECTED_KINDS: readonly ExpectedKind[] = Object.keys(
  KIND_ADVICE,
) as ExpectedKind[];

/**
 * Describes what was found, for messages: its kind, and its address or the
 * operating system's name for it.
 *
 * @param info What is known of the descriptor.
 * @returns The text, such as `a datagram socket at 127.0.0.1:53`.
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

/** An address as it may stand in a message: paths and names are foreign text. */
export function describeAddress(address: Address | undefined): string {
  const text = formatAddress(address);
  return address?.kind === "unix" || address?.kind === "unix-abstract"
    ? quote(text)
    : text;
}

/**
 * Judges whether a descriptor is of one of some kinds. A kind that can't be told
 * passes.
 *
 * @param descriptor The descriptor.
 * @param found What is known of it.
 * @param wanted The kinds, at least one.
 * @param doing What is being done, to begin the message with.
 * @returns The error if it is of none of them; `undefined` if it is of one, or
 * could be.
 */
export function judgeKind(
  descriptor: Descriptor,
  found: DescriptorInfo,
  wanted: readonly ExpectedKind[],
  doing: string,
): ActivationError | undefined {
  if (wanted.some((kind) => couldBe(found, kind))) return undefined;
  return found.kind === "closed"
    ? new ActivationError(
      "closed",
      `${doing}: ${descriptor} is not open: whatever started this process ` +
        `counted it in LISTEN_FDS but passed fewer descriptors, or it was ` +
        `closed since`,
    )
    : wrongKind(descriptor, wanted, describeInfo(found), doing);
}

/**
 * Makes the error for a descriptor that is of another kind than a use needs.
 *
 * @param descriptor The descriptor.
 * @param wanted The kinds, any of which would do.
 * @param found What it is, in words.
 * @param doing What is being done, to begin the message with.
 * @returns The error.
 */
export function wrongKind(
  descriptor: Descriptor,
  wanted: readonly ExpectedKind[],
  found: string,
  doing: string,
): ActivationError {
  const kinds = wanted.map((kind) => KIND_TEXT[kind]).join(" or ");
  const advice = wanted.map((kind) => KIND_ADVICE[kind]).join(", or ");
  return new ActivationError(
    "wrong-kind",
    `${doing}: expected ${kinds}, found ${found} in ` +
      `${descriptor}: ${advice}`,
  );
}

/** Which type the sockets of a kind have. */
const KIND_TYPE: Readonly<Partial<Record<DescriptorKind, string>>> = {
  "stream-listener": "stream",
  "stream-connection": "stream",
  "datagram": "datagram",
  "seqpacket-listener": "seqpacket",
  "seqpacket-connection": "seqpacket",
  "raw": "raw",
};

/** Whether a descriptor may be of a kind, by what is known of it. */
function couldBe(info: DescriptorInfo, wanted: ExpectedKind): boolean {
  if (info.kind === wanted || info.kind === "unknown") return true;
  if (info.kind !== "socket") return false;
  if (wanted === "netlink") {
    return info.family === undefined && info.type !== "stream";
  }
  // One that doesn't listen can be a connection that has just ended.
  if (wanted.endsWith("-listener") && info.listening === false) return false;
  const type = KIND_TYPE[wanted];
  return type !== undefined && (info.type === undefined || info.type === type);
}
