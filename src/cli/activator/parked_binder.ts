/**
 * Binds sockets with `node:net` and `node:dgram`: for Node before 26, and for
 * systems other than Linux.
 *
 * These modules accept connections and read datagrams as soon as the event loop
 * turns. So the sockets are opened in a thread that blocks in the same turn.
 * The descriptors belong to the process: the main thread can pass them to
 * programs.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import process from "node:process";
import { Worker } from "node:worker_threads";
import {
  type AcceptedConnection,
  type Binder,
  BindFailure,
  type BoundSockets,
  DEFAULT_BACKLOG,
} from "./binder.ts";
import {
  closeServer,
  type OpenNotice,
  type OpenReply,
  type OpenRequest,
  PARKED_THREAD,
  type ThreadData,
} from "./parked_thread.ts";
import { isAnyWaiting } from "./proc_waiting.ts";
import type { SocketSpec } from "../shared/socket_spec.ts";
import { setUmask, withMode } from "./paths/umask.ts";

/** Creates the binder. */
export function parkedBinder(): Binder {
  return {
    canBind: (kind) => ["tcp", "udp", "unix"].includes(kind),
    seesWaiting: fs.existsSync("/proc/self/net/unix"),
    ignoredSettings: ({ numbers = {} }) => Object.keys(numbers),
    bind: (specs, willAccept) =>
      willAccept ? bindToAccept(specs) : bindParked(specs),
  };
}

async function bindParked(specs: readonly SocketSpec[]): Promise<BoundSockets> {
  const control = new Int32Array(new SharedArrayBuffer(8));
  const tell = (index: number, value: number) => {
    Atomics.store(control, index, value);
    Atomics.notify(control, index);
  };
  const workerData: ThreadData = { requests: specs.map(openRequest), control };
  const thread = new Worker(PARKED_THREAD, { eval: true, workerData });
  const ended = new Promise<void>((resolve) => {
    thread.once("exit", () => resolve());
  });
  let restoreUmask = () => {};
  const reply = await new Promise<OpenReply>((resolve, reject) => {
    thread.on("message", (message: OpenNotice | OpenReply) => {
      restoreUmask();
      if (!("opens" in message)) return resolve(message);
      restoreUmask = setUmask(specs[message.opens]!.settings?.mode);
      tell(1, message.opens + 1);
    });
    thread.once("error", reject);
    ended.then(() => reject(new Error("Binding: the thread ended")));
  }).finally(() => restoreUmask());
  if ("failedIndex" in reply) {
    // The thread removes its paths before it ends.
    await ended;
    throw new BindFailure(reply.failedIndex, reply.code);
  }
  // A blocked thread would keep the process running.
  thread.unref();
  const { fds, ports } = reply;
  return {
    fds,
    ports,
    makeBlocking: () => makeBlocking(fds),
    // Sockets of node:net and node:dgram never block.
    makeNonBlocking() {},
    isWaiting: () =>
      isAnyWaiting(
        specs.map(({ address }, index) => ({
          inode: String(fs.fstatSync(fds[index]!).ino),
          path: "path" in address ? address.path : undefined,
        })),
      ),
    accept() {
      throw new TypeError("Accepting connections: the sockets are parked");
    },
    async close() {
      thread.ref();
      tell(0, 1);
      await ended;
    },
  };
}

function openRequest(spec: SocketSpec): OpenRequest {
  const { address, settings = {} } = spec;
  if (address.kind === "udp") {
    const { hostname, port } = address;
    const isIpv6 = hostname.includes(":");
    return {
      kind: "datagram",
      options: {
        type: isIpv6 ? "udp6" : "udp4",
        ipv6Only: isIpv6 && settings.ipv6Only !== false,
      },
      bind: { port, address: hostname },
    };
  }
  return {
    kind: "stream",
    ...("path" in address && !address.path.startsWith("@") &&
      { path: address.path }),
    listen: listenOptions(spec),
  };
}

function listenOptions(
  { address, settings = {} }: SocketSpec,
): net.ListenOptions {
  const backlog = settings.backlog ?? DEFAULT_BACKLOG;
  return "port" in address
    ? {
      host: address.hostname,
      port: address.port,
      ipv6Only: settings.ipv6Only !== false,
      backlog,
    }
    : { path: address.path.replace(/^@/, "\0"), backlog };
}

const STANDARD_STREAMS = 3;

/**
 * Makes sockets blocking by passing them to a child as standard streams: Node
 * makes these blocking, and the flag belongs to the socket. Node has no
 * `fcntl(2)`.
 */
function makeBlocking(fds: readonly number[]): void {
  for (let index = 0; index < fds.length; index += STANDARD_STREAMS) {
    const stdio = Array.from(
      { length: STANDARD_STREAMS },
      (_, stream) => fds[index + stream] ?? "ignore",
    );
    spawnSync("/bin/sh", ["-c", ":"], { stdio });
  }
}

/** Opens listeners that accept in this thread. */
async function bindToAccept(
  specs: readonly SocketSpec[],
): Promise<BoundSockets> {
  const servers: net.Server[] = [];
  let onConnection: ((connection: AcceptedConnection) => void) | undefined;
  const early: AcceptedConnection[] = [];
  for (const [index, spec] of specs.entries()) {
    const server = net.createServer({ pauseOnConnect: true }, (socket) => {
      const connection = toAcceptedConnection(index, socket);
      if (onConnection === undefined) early.push(connection);
      else onConnection(connection);
    });
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        withMode(
          spec.settings?.mode,
          () => server.listen(listenOptions(spec), resolve),
        );
      });
    } catch (error) {
      for (const server of servers) server.close();
      const { code } = error as NodeJS.ErrnoException;
      throw new BindFailure(index, code ?? String(error), { cause: error });
    }
    servers.push(server);
  }
  return {
    fds: [],
    ports: servers.map((server) =>
      (server.address() as { port?: number } | null)?.port
    ),
    makeBlocking() {},
    makeNonBlocking() {},
    isWaiting: () => false,
    accept(listener) {
      onConnection = listener;
      for (const connection of early.splice(0)) listener(connection);
      return () => onConnection = (connection) => connection.close();
    },
    close() {
      for (const connection of early.splice(0)) connection.close();
      for (const [index, { address }] of specs.entries()) {
        const isFile = "path" in address && !address.path.startsWith("@");
        const path = isFile ? address.path : undefined;
        closeServer(process, servers[index]!, path);
      }
      return Promise.resolve();
    },
  };
}

function toAcceptedConnection(
  index: number,
  socket: net.Socket,
): AcceptedConnection {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  // An error here must not end this process: the program has the connection.
  socket.on("error", () => {});
  makeBlocking([fd]);
  const { remoteAddress: hostname, remotePort: port } = socket;
  return { index, fd, hostname, port, close: () => void socket.destroy() };
}
