/**
 * A small activator: binds sockets and starts a program with them, as
 * `systemd-socket-activate(1)` does. It runs on Node, on Linux and macOS.
 *
 * @module
 */

import type { ChildProcess, StdioOptions } from "node:child_process";
import type * as net from "node:net";
import { ActivationError, quote } from "../core/errors.ts";
import {
  type ListenAddress,
  parseListenAddress,
} from "../core/listen_address.ts";
import { builtin, processGlobal } from "../runtime/builtin.ts";

/** A socket to bind, and the name to hand it over under. */
export interface SocketSpec {
  /** The name. */
  readonly name: string;
  /** The address to bind. */
  readonly address: ListenAddress & { readonly kind: "tcp" | "unix" };
}

/** A descriptor to hand over. */
export interface NamedDescriptor {
  /** The name. */
  readonly name: string;
  /** The descriptor's number in this process. */
  readonly fd: number;
}

/** A socket that was bound. */
export interface BoundSocket extends NamedDescriptor {
  /** The port that it is bound to; `undefined` for a Unix socket. */
  readonly port: number | undefined;
  /** Closes this process's descriptor; a Unix socket keeps its path. */
  release(): void;
}

/**
 * Parses `NAME=ADDRESS`, such as `web=tcp:127.0.0.1:8080` or
 * `admin=unix:/run/app.sock`.
 *
 * @param text The text.
 * @returns The socket to bind.
 * @throws {SyntaxError | RangeError} If the text is not of this form.
 */
export function parseSocketSpec(text: string): SocketSpec {
  const [, name, rest] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || rest === undefined) {
    throw new SyntaxError(
      `Parsing the socket ${quote(text)}: expected NAME=ADDRESS, such as ` +
        `"web=tcp:127.0.0.1:8080"`,
    );
  }
  // What systemd allows (`FileDescriptorName=` of systemd.socket(5)).
  // deno-lint-ignore no-control-regex
  if (!/^[^:\x00-\x1f\x7f]{1,255}$/.test(name)) {
    throw new SyntaxError(
      `Parsing the socket ${quote(text)}: expected a name of 1 to 255 ` +
        `characters without colons or control characters`,
    );
  }
  const address = parseListenAddress(rest);
  if (address.kind !== "tcp" && address.kind !== "unix") {
    throw new SyntaxError(
      `Parsing the socket ${quote(text)}: expected an address to bind, ` +
        `"tcp:…" or "unix:…", found ${quote(rest)}`,
    );
  }
  return { name, address };
}

/**
 * Binds sockets and lets a function start programs with them. No connection is
 * accepted here: all of it happens in one turn of the event loop, since
 * `node:net` accepts as soon as it listens.
 *
 * @param specs The sockets to bind.
 * @param start Starts the programs; must not wait for anything.
 * @returns What `start` returned.
 * @throws {ActivationError} With the code `failed` or `permission` if a socket
 * can't be bound; then none is.
 */
export async function withSockets<T>(
  specs: readonly SocketSpec[],
  start: (sockets: readonly BoundSocket[]) => T,
): Promise<T> {
  const settled = await Promise.allSettled(specs.map(bindSocket));
  const bound = settled.flatMap((each) =>
    each.status === "fulfilled" ? [each.value] : []
  );
  const failed = settled.find((each) => each.status === "rejected");
  if (failed !== undefined) {
    // Closing, unlike releasing, removes the paths that were made here.
    for (const { server } of bound) server.close();
    throw failed.reason;
  }
  try {
    return start(bound);
  } finally {
    for (const socket of bound) socket.release();
  }
}

type OpenSocket = BoundSocket & { readonly server: net.Server };

function bindSocket({ name, address }: SocketSpec): Promise<OpenSocket> {
  const server = builtin("node:net").createServer();
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        new ActivationError(
          error.code === "EACCES" ? "permission" : "failed",
          `Binding the socket ${quote(name)}: ${error.message}`,
          { cause: error },
        ),
      );
    });
    server.once("listening", () => {
      const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
      const bound = server.address();
      resolve({
        name,
        fd,
        port: bound !== null && typeof bound === "object"
          ? bound.port
          : undefined,
        server,
        release() {
          if (address.kind === "unix" && !address.path.startsWith("@")) {
            closeKeepingPath(server, address.path);
          } else {
            server.close();
          }
        },
      });
    });
    if (address.kind === "tcp") {
      server.listen({
        host: address.hostname,
        port: address.port,
        ipv6Only: true,
      });
    } else {
      server.listen({ path: address.path.replace(/^@/, "\0") });
    }
  });
}

/** Closing a server removes the path it is bound to: move that aside for it. */
function closeKeepingPath(server: net.Server, path: string): void {
  const { renameSync } = builtin("node:fs");
  const aside = `${path}.${processGlobal()!.pid}`;
  renameSync(path, aside);
  server.close();
  renameSync(aside, path);
}

/** How {@linkcode spawnActivated} starts a program. */
export interface SpawnOptions {
  /** Standard input, output and error; inherited by default. */
  readonly stdio?: readonly ["pipe" | "inherit" | "ignore", ...unknown[]];
  /** Changes to the environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Starts a program with descriptors from 3 on, and the variables that name
 * them.
 *
 * @param command The program and its arguments.
 * @param descriptors What to hand over, in order.
 * @param options How to start it.
 * @returns The process; its id is the program's own.
 */
export function spawnActivated(
  command: readonly string[],
  descriptors: readonly NamedDescriptor[],
  options: SpawnOptions = {},
): ChildProcess {
  // LISTEN_PID must be the program's own id, which only the process itself
  // knows before the program starts: a shell sets it and becomes the program.
  const script = 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"';
  const stdio = options.stdio ?? ["inherit", "inherit", "inherit"];
  return builtin("node:child_process").spawn(
    "/bin/sh",
    ["-c", script, "sh", ...command],
    {
      stdio: [...stdio, ...descriptors.map(({ fd }) => fd)] as StdioOptions,
      env: {
        ...processGlobal()!.env,
        LISTEN_FDS: String(descriptors.length),
        LISTEN_FDNAMES: descriptors.map(({ name }) => name).join(":"),
        LISTEN_PIDFDID: undefined,
        ...options.env,
      },
    },
  );
}
