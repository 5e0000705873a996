/**
 * The interface between the library and a runtime. `deno/`, `bun/` and `node/`
 * implement it, and all other code calls only this interface.
 *
 * @module
 */

import type * as http from "node:http";
import type * as net from "node:net";
import type { CloseDescriptor } from "../core/activation.ts";
import type { Address } from "../core/address.ts";
import type { Descriptor } from "../core/descriptor.ts";
import type { ListenVariables } from "../core/environment.ts";
import type { DescriptorInfo, Inspector } from "../core/info.ts";
import type {
  Connection,
  Fallback,
  Placeholder,
  RuntimeName,
} from "../core/types.ts";
import type { Libc } from "../ffi/libc.ts";
import type { UsableKind } from "../core/kinds.ts";

/** One runtime, in four groups of members. */
export interface Platform {
  // The process.

  /** Name of the runtime in the public API. */
  readonly name: RuntimeName;
  /** Name of the runtime in messages. */
  readonly title: string;
  /** Version of the runtime, such as `2.9.6`. */
  readonly version: string;
  readonly pid: number;
  /**
   * Inode id of this process's pidfd (`LISTEN_PIDFDID`), where the runtime and
   * the kernel can report it.
   */
  pidfdId(): bigint | undefined;
  readVariables(): ListenVariables;
  /** Removes the variables of the protocol except those in `kept`. */
  clearVariables(kept: readonly string[]): void;
  /**
   * Reads another variable of the environment.
   *
   * @throws {ActivationError} With the code `permission` if Deno denies access.
   */
  readVariable(name: string): string | undefined;
  removeVariable(name: string): void;
  /** Reads the command line of another process, where that is permitted. */
  commandLine(pid: number): string[] | undefined;
  /**
   * Reads the environment with which the process was started, as `NAME=value`,
   * where that is permitted.
   */
  initialEnvironment(): string[] | undefined;
  /**
   * Adds a listener for a signal. Where the runtime calls listeners in an order
   * that a program can choose, it is the first.
   */
  addSignalListener(signal: string, listener: () => void): void;
  removeSignalListener(signal: string, listener: () => void): void;
  /**
   * Counts the listeners for a signal. Some are observed from the first call for
   * the signal on.
   */
  countSignalListeners(signal: string): number;

  // Inherited descriptors.

  readonly inspector: Inspector;
  /** The C library, if the runtime and the permissions allow to call it. */
  libc(): Libc | undefined;
  /**
   * Whether the runtime sets close-on-exec on inherited descriptors when it
   * starts. Where it doesn't, the flag shows which ones the runtime opened.
   */
  readonly setsCloseOnExecAtStart: boolean;
  /**
   * Sets close-on-exec on a descriptor, where the runtime can.
   *
   * @returns `false` if the descriptor is known to be closed.
   */
  setCloseOnExec(fd: number): boolean;
  /**
   * Whether a descriptor is the event queue that the runtime opens first. Those
   * with higher numbers weren't passed either, because a service manager passes
   * consecutive ones, and the runtime gets the next number.
   */
  isEventQueue(fd: number, info: DescriptorInfo): boolean;
  readonly close: CloseDescriptor;
  /** Whether `node:fs` reads and writes descriptors that it hasn't opened. */
  readonly fsTakesDescriptors: boolean;

  // The runtime's own listeners.

  /** Minimum version for each kind of descriptor, by the portable path. */
  readonly minimumVersions: Readonly<Record<UsableKind, string | undefined>>;
  /** The C library for adoption, or the reason why nothing can be adopted. */
  adoptionLibc(): Libc | MissingLibc;
  /** Returns the flags of the permissions that binding a placeholder lacks. */
  missingPermission?(placeholder: Placeholder): string | undefined;
  /**
   * Takes over a connected stream socket, where `net.Socket` of the runtime
   * can't.
   */
  connect?(fd: number): Promise<Connection>;

  // Differences of the runtime's `node:net` and `node:http`.

  /**
   * Whether an `http.Server` can listen on a descriptor. Bun's binds a random
   * port instead, without an error.
   */
  readonly httpServerTakesDescriptors: boolean;
  /**
   * Whether trying to listen shows that a TCP socket is a listener: it fails on
   * a connection, and leaves that intact.
   */
  readonly detectsListenersByListening?: boolean;
  /**
   * Whether the runtime would refuse a descriptor of unknown kind as a stream
   * socket. Asking leaves the descriptor untouched.
   */
  wouldRefuse?(fd: number): boolean;
  /** Makes `pause()` of a request pause its socket, where the runtime doesn't. */
  fixRequestPause?(request: http.IncomingMessage): void;
  /**
   * Takes the body of a response that is there at once, where the runtime keeps it
   * as it was given; `undefined` if its stream has to be read. The headers of the
   * response must have been read before.
   */
  takeStaticBody?(response: Response): string | Uint8Array | undefined;
  /**
   * Returns the flag of a permission that a `net.Server` lacks to bind a fallback,
   * where the runtime throws outside of the call and of the event `error`.
   */
  missingListenPermission?(fallback: Fallback): string | undefined;
  /**
   * Whether the runtime's own listeners use a whole core while the process has
   * no free descriptor for a connection.
   */
  readonly spinsWhenExhausted?: boolean;
  /**
   * Makes a server that listens answer again after the process had no free
   * descriptor, and use no core meanwhile, where the runtime doesn't.
   *
   * @param fd The descriptor that the server listens on, if it is inherited.
   * @param address The address of the server, as far as it is known.
   */
  surviveExhaustion?(
    server: net.Server,
    fd: number | undefined,
    address: Address | undefined,
  ): void;
  /** Whether a server of `node:net` that fails to listen closes the descriptor. */
  readonly closesOnListenError?: boolean;
}

/** The reason why the C library can't be called. */
export interface MissingLibc {
  /** What is missing and what to do, as the end of a sentence. */
  readonly reason: string;
  /** Whether a permission is missing that the user can grant. */
  readonly isDenied: boolean;
}

/** Where to listen: on claimed descriptors, or at an address to bind. */
export type ListenSource =
  | {
    readonly kind: "inherited";
    readonly descriptors: readonly [Descriptor, ...Descriptor[]];
    /** The metadata of each descriptor, read once when it was claimed. */
    readonly infos: readonly DescriptorInfo[];
  }
  | FallbackSource;

/** An address to bind. */
export interface FallbackSource {
  readonly kind: "fallback";
  readonly address: Fallback;
  /**
   * The reason why there is no activation, if the variables are meant for
   * another process.
   */
  readonly foreignReason?: string;
}
