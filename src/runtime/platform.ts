/**
 * What the library needs of a runtime. One thin shim each for Deno, Bun and
 * Node gives it; everything above is written against this interface.
 *
 * @module
 */

import type * as http from "node:http";
import type * as net from "node:net";
import type { CloseDescriptor } from "../core/activation.ts";
import { Descriptor } from "../core/descriptor.ts";
import type { Inspector } from "../core/info.ts";
import type { ListenVariables } from "../core/environment.ts";
import { ActivationError } from "../core/errors.ts";
import { judgeKind, type UsableKind, wrongKind } from "../core/kinds.ts";
import type { Libc } from "../ffi/libc.ts";
import type { Connection } from "../core/types.ts";
import type { Backends } from "./backend.ts";
import type { Placeholder } from "./adoption/placeholder.ts";
import type { Support } from "./versions.ts";

/** Why no listener can be adopted. */
export interface NoAdopter {
  /** What is missing, and what to do, as the end of a sentence. */
  readonly reason: string;
  /** Whether it is a permission that the program could be given. */
  readonly isDenied: boolean;
}

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
  /** Reads what descriptors are, in the best way that there is here. */
  readonly inspector: Inspector;
  /** The C library, if it can be called here. */
  libc(): Libc | undefined;
  /**
   * Whether the runtime makes some of what it inherits close-on-exec when it
   * starts. Where it doesn't, the flag tells what the runtime opened itself.
   */
  readonly marksInherited: boolean;
  /**
   * The inode id of this process's pidfd (`LISTEN_PIDFDID`), where the runtime
   * and the kernel can tell it.
   */
  pidfdId(): bigint | undefined;
  /**
   * Makes a descriptor that was handed over close-on-exec, where the runtime
   * gives a way.
   *
   * @param fd The descriptor.
   * @returns Whether it is open, as far as that can be told.
   */
  receive(fd: number): boolean;
  /** Closes a descriptor that the runtime has not taken over. */
  readonly close: CloseDescriptor;
  /**
   * The C library, if listeners of the runtime's own can be put onto inherited
   * sockets through it; else why not.
   */
  adopter(): Libc | NoAdopter;
  /** Which permission is missing to bind a placeholder, if that is known. */
  missingPermission?(placeholder: Placeholder): string | undefined;
  /**
   * The runtime's own servers, where they differ from the portable path: loaded
   * when they are needed.
   */
  readonly native?: () => Promise<Backends>;
  /** Takes over a connected stream socket. */
  connect(fd: number): Promise<Connection>;
  /**
   * Whether a TCP socket of which no more is known can be told by trying to
   * listen: that fails on a connection, without harm to it.
   */
  readonly tellsByListening?: boolean;
  /**
   * Whether the runtime would refuse a descriptor of which nothing is known as
   * a stream socket. Asking doesn't touch it.
   */
  refuses?(fd: number): boolean;
  /** Mends what `node:http` of the runtime does with a request, if need be. */
  prepareRequest?(request: http.IncomingMessage): void;
  /** Prepares a server, so that failing to listen doesn't lose the descriptor. */
  keepRefused?(server: net.Server): void;
}

/**
 * Checks, before anything is touched, that descriptors can be used: that this
 * version of the runtime can, and that they are of the kind. A kind that can't
 * be told passes: then the runtime will judge.
 *
 * @param runtime The runtime.
 * @param descriptors The descriptors.
 * @param kind As what they are to be used.
 * @param doing What is being done, to begin the message with.
 * @throws {ActivationError} With the code `unsupported`, `closed` or
 * `wrong-kind`.
 */
export function requireUsable(
  runtime: Runtime,
  descriptors: readonly Descriptor[],
  kind: UsableKind,
  doing: string,
): void {
  if (descriptors.length === 0) return;
  // First: what an old version says of a descriptor may be wrong.
  requireSupport(runtime, descriptors[0]!, kind, doing);
  requireKinds(runtime, descriptors, kind, doing);
}

/**
 * Checks that descriptors are of a kind. One that can't be told passes.
 *
 * @param runtime The runtime.
 * @param descriptors The descriptors.
 * @param kind As what they are to be used.
 * @param doing What is being done, to begin the message with.
 * @throws {ActivationError} With the code `closed` or `wrong-kind`.
 */
export function requireKinds(
  runtime: Runtime,
  descriptors: readonly Descriptor[],
  kind: UsableKind,
  doing: string,
): void {
  const infos = Descriptor.inspectAll(descriptors);
  descriptors.forEach((descriptor, at) => {
    const found = infos[at]!;
    const error = judgeKind(descriptor, found, [kind], doing);
    if (error !== undefined) throw error;
    if (found.kind === "unknown" && runtime.refuses?.(descriptor.fd)) {
      throw wrongKind(descriptor, [kind], "something else", doing);
    }
  });
}

/** Whether this version can use descriptors of a kind by the portable path. */
export function supportsKind(runtime: Runtime, kind: UsableKind): boolean {
  const since = runtime.since[kind];
  return since !== undefined && !isOlder(runtime.version, since);
}

function requireSupport(
  runtime: Runtime,
  descriptor: Descriptor,
  kind: UsableKind,
  doing: string,
): void {
  if (supportsKind(runtime, kind)) return;
  const since = runtime.since[kind];
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
