/**
 * A descriptor that was handed over, with what is known of it.
 *
 * @module
 */

import { type Address, formatAddress } from "./address.ts";
import { ActivationError, quote } from "./errors.ts";

/**
 * What a descriptor is. A stream socket of a unit with `Accept=no` is a
 * `stream-listener`, with `Accept=yes` a `stream-connection`. `socket` is one
 * of which no more is known, `unknown` a descriptor of which nothing is known.
 */
export type DescriptorKind =
  | "stream-listener"
  | "stream-connection"
  | "datagram"
  | "seqpacket-listener"
  | "seqpacket-connection"
  | "socket"
  | "fifo"
  | "file"
  | "character-device"
  | "other"
  | "closed"
  | "unknown";

/** What is known of a descriptor. Fields that can't be told are `undefined`. */
export interface DescriptorInfo {
  /** What it is. */
  readonly kind: DescriptorKind;
  /** The address that it is bound to, if it is a socket. */
  readonly address?: Address | undefined;
  /** The operating system's own name for it, such as `socket:[4711]`. */
  readonly link?: string | undefined;
}

/** How a descriptor's metadata are read; injected, so that the core does no I/O. */
export type Inspect = (fd: number) => DescriptorInfo;

/** One inherited descriptor with its name. */
export class Descriptor {
  /** The number of the descriptor in this process. */
  readonly fd: number;
  /** The name that the service manager gave it; `unknown` if it gave none. */
  readonly name: string;
  readonly #inspect: Inspect;
  #closed = false;

  /**
   * Makes a descriptor; nothing is read yet.
   *
   * @param fd The number of the descriptor.
   * @param name Its name.
   * @param inspect Reads what it is.
   */
  constructor(fd: number, name: string, inspect: Inspect) {
    this.fd = fd;
    this.name = name;
    this.#inspect = inspect;
  }

  /**
   * What the descriptor is, read when asked for. Once it is known to be closed
   * it stays so: its number may mean something else by now.
   */
  get info(): DescriptorInfo {
    if (this.#closed) return { kind: "closed" };
    return this.#inspect(this.fd);
  }

  /** Notes that the descriptor is closed and its number no longer ours. */
  markClosed(): void {
    this.#closed = true;
  }

  /** The descriptor as messages name it, such as `descriptor 3 ("web")`. */
  toString(): string {
    return `descriptor ${this.fd} (${quote(this.name)})`;
  }
}

/** The kinds that this library makes something of. */
export type UsableKind = "stream-listener" | "stream-connection" | "datagram";

/** What each kind is in words, with its article. */
const KIND_TEXT: Readonly<Record<DescriptorKind, string>> = {
  "stream-listener": "a listening stream socket",
  "stream-connection": "a connected stream socket",
  "datagram": "a datagram socket",
  "seqpacket-listener": "a listening sequential packet socket",
  "seqpacket-connection": "a connected sequential packet socket",
  "socket": "a socket",
  "fifo": "a FIFO or pipe",
  "file": "a file",
  "character-device": "a character device",
  "other": "something else (no stream socket, FIFO or file)",
  "closed": "not open",
  "unknown": "unknown",
};

/** The settings of `systemd.socket(5)` that pass a descriptor of each kind. */
const KIND_SETTING: Readonly<Record<UsableKind, string>> = {
  "stream-listener": "ListenStream= with Accept=no",
  "stream-connection": "ListenStream= with Accept=yes",
  "datagram": "ListenDatagram=",
};

/**
 * Describes what was found, for messages: its kind, and its address or the
 * operating system's name for it.
 *
 * @param info What is known of the descriptor.
 * @returns The text, such as `a datagram socket at 127.0.0.1:53`.
 */
export function describeInfo(info: DescriptorInfo): string {
  const text = KIND_TEXT[info.kind];
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
 * Checks, before anything is touched, that a descriptor is of the kind that a
 * use needs. A kind that can't be told passes: then the runtime will judge.
 *
 * @param descriptor The descriptor.
 * @param wanted The kind that is needed.
 * @param doing What is being done, to begin the message with.
 * @returns What is known of the descriptor.
 * @throws {ActivationError} With the code `closed` or `wrong-kind`.
 */
export function requireKind(
  descriptor: Descriptor,
  wanted: UsableKind,
  doing: string,
): DescriptorInfo {
  const info = descriptor.info;
  if (
    info.kind === wanted || info.kind === "socket" || info.kind === "unknown"
  ) {
    return info;
  }
  if (info.kind === "closed") {
    throw new ActivationError(
      "closed",
      `${doing}: ${descriptor} is not open: whatever started this process ` +
        `counted it in LISTEN_FDS but passed fewer descriptors, or it was ` +
        `closed since`,
    );
  }
  throw wrongKind(descriptor, wanted, info, doing);
}

/** The error for a descriptor that is of another kind than a use needs. */
export function wrongKind(
  descriptor: Descriptor,
  wanted: UsableKind,
  found: DescriptorInfo,
  doing: string,
): ActivationError {
  return new ActivationError(
    "wrong-kind",
    `${doing}: expected ${KIND_TEXT[wanted]}, found ${describeInfo(found)} ` +
      `in ${descriptor}: set ${KIND_SETTING[wanted]} in the socket unit`,
  );
}
