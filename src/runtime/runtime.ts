/**
 * What the library needs of a runtime. One thin shim each for Deno, Bun and
 * Node gives it; everything above is written against this interface.
 *
 * @module
 */

import type * as http from "node:http";
import type * as net from "node:net";
import type { CloseDescriptor } from "../core/activation.ts";
import type { Descriptor, Inspect, UsableKind } from "../core/descriptor.ts";
import type { ListenVariables } from "../core/environment.ts";
import { ActivationError } from "../core/errors.ts";
import type { Connection } from "../types.ts";

/** The first version of a runtime that can use descriptors of a kind. */
export type Support = { readonly [kind in UsableKind]: string | undefined };

/** One runtime, as this library sees it. */
export interface Runtime {
  /** Its name in the library's API. */
  readonly name: "deno" | "bun" | "node";
  /** Its name in messages. */
  readonly title: string;
  /** Its version, such as `2.9.6`. */
  readonly version: string;
  /** This process's id. */
  readonly pid: number;
  /** The version from which on each kind works; `undefined`: none does. */
  readonly since: Support;
  /**
   * Whether an `http.Server` can listen on a descriptor itself. Bun's binds a
   * random port instead, without a word.
   */
  readonly httpServerTakesDescriptors: boolean;
  /** Reads the variables of the protocol. */
  readVariables(): ListenVariables;
  /** Removes the variables of the protocol. */
  clearVariables(): void;
  /** Reads the command line of another process, where that is possible. */
  commandLine(pid: number): string[] | undefined;
  /** Reads what a descriptor is. */
  readonly inspect: Inspect;
  /** Whether a descriptor is known not to be open. */
  isClosed(fd: number): boolean;
  /** Closes a descriptor that the runtime has not taken over. */
  readonly close: CloseDescriptor;
  /** Takes over a connected stream socket. */
  connect(fd: number): Promise<Connection>;
  /**
   * Whether a TCP socket of which no more is known can be told by trying to
   * listen: that fails on a connection, without harm to it.
   */
  readonly tellsByListening?: boolean;
  /** Mends what `node:http` of the runtime does with a request, if need be. */
  prepareRequest?(request: http.IncomingMessage): void;
  /** Prepares a server, so that failing to listen doesn't lose the descriptor. */
  keepRefused?(server: net.Server): void;
}

/**
 * Checks that this version of the runtime can use a descriptor.
 *
 * @param runtime The runtime.
 * @param descriptor The descriptor.
 * @param kind As what it is to be used.
 * @param doing What is being done, to begin the message with.
 * @throws {ActivationError} With the code `unsupported`.
 */
export function requireSupport(
  runtime: Runtime,
  descriptor: Descriptor,
  kind: UsableKind,
  doing: string,
): void {
  const since = runtime.since[kind];
  if (since !== undefined && !isOlder(runtime.version, since)) return;
  const what = {
    "stream-listener": "listen on",
    "stream-connection": "use a connection from",
    "datagram": "receive datagrams on",
  }[kind];
  throw new ActivationError(
    "unsupported",
    `${doing}: ${runtime.title} ${runtime.version} can't ${what} an inherited ` +
      `descriptor, here ${descriptor}: ` +
      (since === undefined
        ? `use Node, or Bun 1.4 or later`
        : `use ${runtime.title} ${since} or later`),
  );
}

/** Whether a version is older than another one, by their numbers. */
function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) =>
    parseInt(part, 10)
  );
  const [thanMajor = 0, thanMinor = 0] = than.split(".").map(Number);
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}
