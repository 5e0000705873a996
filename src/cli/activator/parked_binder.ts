/**
 * Binds sockets by `node:net` and `node:dgram`: for Node before 26, and for
 * systems other than Linux.
 *
 * These accept connections, and read packets, as soon as their event loop turns.
 * So they are opened in a thread whose event loop never does: it waits for a
 * word to close them, in the same turn in which it opened them. The descriptors
 * belong to the process, and can be handed over from the main thread.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import type * as dgram from "node:dgram";
import fs from "node:fs";
import net from "node:net";
import { Worker } from "node:worker_threads";
import {
  type AcceptedConnection,
  type Binder,
  BindFailure,
  type Bound,
  DEFAULT_BACKLOG,
} from "./binder.ts";
import { isAnyWaiting } from "./proc_waiting.ts";
import type { SocketSpec } from "../shared/socket_spec.ts";

/** Makes the binder. */
export function parkedBinder(): Binder {
  return {
    canBind: (kind) => ["tcp", "udp", "unix"].includes(kind),
    seesWaiting: fs.existsSync("/proc/self/net/unix"),
    ignoredOptions: ({ numbers = {} }) => Object.keys(numbers),
    bind,
  };
}

/** What the thread is to open. */
type Order =
  | {
    readonly kind: "stream";
    readonly path?: string;
    readonly mode?: number;
    readonly listen: net.ListenOptions;
  }
  | {
    readonly kind: "datagram";
    readonly options: dgram.SocketOptions;
    readonly bind: { readonly port: number; readonly address: string };
  };

/** What the thread answers. */
type Answer =
  | {
    readonly fds: readonly number[];
    readonly ports: readonly (number | undefined)[];
  }
  | { readonly failed: number; readonly code: string };

async function bind(
  specs: readonly SocketSpec[],
  willAccept: boolean,
): Promise<Bound> {
  if (willAccept) return await bindToAccept(specs);
  const orders = specs.map(orderOf);
  const word = new Int32Array(new SharedArrayBuffer(8));
  const thread = new Worker(`(${park})(process)`, {
    eval: true,
    workerData: { orders, word },
  });
  const ended = new Promise<void>((resolve) => {
    thread.once("exit", () => resolve());
  });
  const answer = await new Promise<Answer>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
    ended.then(() => reject(new Error("Binding: the thread ended")));
  });
  if ("failed" in answer) {
    // Then the paths that it made are gone, too.
    await ended;
    throw new BindFailure(answer.failed, answer.code);
  }
  // Otherwise it keeps the process running.
  thread.unref();
  const { fds, ports } = answer;
  return {
    fds,
    ports,
    makeBlocking: () => makeBlocking(fds),
    isWaiting: () =>
      isAnyWaiting(fds.map((fd, at) => wantedOf(fd, specs[at]!))),
    accept() {
      throw new TypeError("Accepting connections: not bound for it");
    },
    async close() {
      thread.ref();
      Atomics.store(word, 0, 1);
      Atomics.notify(word, 0);
      await ended;
    },
  };
}

function wantedOf(
  fd: number,
  { address }: SocketSpec,
): { inode: string; path: string | undefined } {
  return {
    inode: String(fs.fstatSync(fd).ino),
    path: "path" in address ? address.path : undefined,
  };
}

function orderOf({ address, options = {} }: SocketSpec): Order {
  if (address.kind === "udp") {
    const { hostname, port } = address;
    const isIpv6 = hostname.includes(":");
    return {
      kind: "datagram",
      options: {
        type: isIpv6 ? "udp6" : "udp4",
        ipv6Only: isIpv6 && options.ipv6Only !== false,
      },
      bind: { port, address: hostname },
    };
  }
  const { path, ...listen } = listenOptions({ name: "", address, options });
  return {
    kind: "stream",
    ...(path !== undefined && !path.startsWith("@") && { path }),
    ...(options.mode !== undefined && { mode: options.mode }),
    listen: path === undefined
      ? listen
      : { ...listen, path: path.replace(/^@/, "\0") },
  };
}

function listenOptions(
  { address, options = {} }: SocketSpec,
): net.ListenOptions {
  const backlog = options.backlog ?? DEFAULT_BACKLOG;
  return "port" in address
    ? {
      host: address.hostname,
      port: address.port,
      ipv6Only: options.ipv6Only !== false,
      backlog,
    }
    : { path: address.path, backlog };
}

/** How many descriptors a program has as its standard streams. */
const STREAMS = 3;

/**
 * Node has no `fcntl(2)`. But its children get standard streams that are
 * blocking, and the flag is the socket's.
 */
function makeBlocking(fds: readonly number[]): void {
  for (let at = 0; at < fds.length; at += STREAMS) {
    const some = fds.slice(at, at + STREAMS);
    const stdio = Array.from(
      { length: STREAMS },
      (_, n) => some[n] ?? "ignore",
    );
    spawnSync("/bin/sh", ["-c", ":"], { stdio });
  }
}

/** Listeners that do accept, in this thread. */
async function bindToAccept(specs: readonly SocketSpec[]): Promise<Bound> {
  const servers: net.Server[] = [];
  let onConnection: ((connection: AcceptedConnection) => void) | undefined;
  const early: AcceptedConnection[] = [];
  for (const [index, spec] of specs.entries()) {
    const server = net.createServer({ pauseOnConnect: true }, (socket) => {
      const connection = asConnection(index, socket);
      if (onConnection === undefined) early.push(connection);
      else onConnection(connection);
    });
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        const { path, ...options } = listenOptions(spec);
        server.listen(
          path === undefined ? options : {
            ...options,
            path: path.replace(/^@/, "\0"),
          },
          resolve,
        );
      });
    } catch (error) {
      for (const each of servers) each.close();
      const { code } = error as NodeJS.ErrnoException;
      throw new BindFailure(index, code ?? String(error), { cause: error });
    }
    servers.push(server);
    const { address, options } = spec;
    if ("path" in address && options?.mode !== undefined) {
      fs.chmodSync(address.path, options.mode);
    }
  }
  return {
    fds: [],
    ports: servers.map((server) =>
      (server.address() as { port?: number } | null)?.port
    ),
    makeBlocking() {},
    isWaiting: () => false,
    accept(listener) {
      onConnection = listener;
      for (const connection of early.splice(0)) listener(connection);
      return () => onConnection = (connection) => connection.close();
    },
    close() {
      for (const connection of early.splice(0)) connection.close();
      for (const server of servers) server.close();
      return Promise.resolve();
    },
  };
}

function asConnection(index: number, socket: net.Socket): AcceptedConnection {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  // Ends nothing: the program has it, too.
  socket.on("error", () => {});
  makeBlocking([fd]);
  const { remoteAddress: hostname, remotePort: port } = socket;
  return { index, fd, hostname, port, close: () => void socket.destroy() };
}

/**
 * What runs in the thread. Its text is all that gets there, so it uses nothing
 * of this file.
 */
function park({ pid, getBuiltinModule: load }: NodeJS.Process): void {
  const { parentPort, workerData } = load("node:worker_threads");
  const net = load("node:net");
  const dgram = load("node:dgram");
  const fs = load("node:fs");
  const { orders, word } = workerData as { orders: Order[]; word: Int32Array };
  type Open = {
    readonly fd: () => number;
    readonly port: () => number | undefined;
    readonly close: (keepsPath: boolean) => void;
  };
  const open: Open[] = [];
  const answer = (answer: Answer) => parentPort!.postMessage(answer);
  const closeAll = (keepsPaths: boolean) => {
    for (const each of open) each.close(keepsPaths);
    parentPort!.close();
  };
  const fail = (failed: number, error: Error) => {
    answer({ failed, code: (error as { code?: string }).code ?? `${error}` });
    closeAll(false);
  };
  const listen = (order: Order & { kind: "stream" }, next: () => void) => {
    const server = net.createServer();
    server.once("error", (error) => fail(open.length, error));
    server.listen(order.listen, () => {
      open.push({
        fd: () => (server as unknown as { _handle: { fd: number } })._handle.fd,
        port: () => (server.address() as { port?: number } | null)?.port,
        close(keepsPath) {
          const { path } = order;
          if (!keepsPath || path === undefined || !fs.existsSync(path)) {
            server.close();
            return;
          }
          // Closing removes the path, whoever has it by now: that is moved
          // aside for it.
          const aside = `${path}.${pid}`;
          fs.renameSync(path, aside);
          server.close();
          fs.renameSync(aside, path);
        },
      });
      if (order.path !== undefined && order.mode !== undefined) {
        fs.chmodSync(order.path, order.mode);
      }
      next();
    });
  };
  const receive = (order: Order & { kind: "datagram" }, next: () => void) => {
    const socket = dgram.createSocket(order.options);
    socket.once("error", (error) => fail(open.length, error));
    socket.bind(order.bind, () => {
      open.push({
        fd() {
          const state = Object.getOwnPropertySymbols(socket)
            .find(({ description }) => description === "state symbol")!;
          const { handle } = (socket as unknown as Record<
            symbol,
            { handle: { fd: number } }
          >)[state]!;
          return handle.fd;
        },
        port: () => socket.address().port,
        close: () => socket.close(),
      });
      next();
    });
  };
  const next = () => {
    const order = orders[open.length];
    if (order?.kind === "stream") return listen(order, next);
    if (order?.kind === "datagram") return receive(order, next);
    answer({
      fds: open.map(({ fd }) => fd()),
      ports: open.map(({ port }) => port()),
    });
    // Until told: the event loop doesn't turn, and nothing is accepted.
    Atomics.wait(word, 0, 0);
    closeAll(true);
  };
  next();
}
