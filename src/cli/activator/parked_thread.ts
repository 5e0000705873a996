/**
 * Code of the thread in which `parked_binder.ts` opens sockets.
 *
 * Only the text of {@linkcode PARKED_THREAD} gets into the thread, so the
 * functions here use nothing but their parameters.
 *
 * @module
 */

import type * as dgram from "node:dgram";
import type * as net from "node:net";

/** A listener for the thread to open. */
interface ListenerRequest {
  readonly kind: "stream";
  /** Path in the file system, if the socket has one. */
  readonly path?: string;
  readonly listen: net.ListenOptions;
}

/** A datagram socket for the thread to open. */
interface DatagramRequest {
  readonly kind: "datagram";
  readonly options: dgram.SocketOptions;
  readonly bind: { readonly port: number; readonly address: string };
}

/** A socket for the thread to open. */
export type OpenRequest = ListenerRequest | DatagramRequest;

/**
 * Message of the thread before it opens a socket: it waits until it may, because
 * the umask belongs to the process, and a thread can't set it.
 */
export interface OpenNotice {
  /** Index of the request. */
  readonly opens: number;
}

/** Reply of the thread: all sockets, or the index and error name of a failure. */
export type OpenReply =
  | {
    readonly fds: readonly number[];
    readonly ports: readonly (number | undefined)[];
  }
  | { readonly failedIndex: number; readonly code: string };

/** Data passed to the thread. */
export interface ThreadData {
  readonly requests: readonly OpenRequest[];
  /**
   * Two elements. The thread closes its sockets when the first one isn't 0, and
   * opens as many sockets as the second one says.
   */
  readonly control: Int32Array;
}

/** A socket that the thread has opened. */
interface ParkedSocket {
  fd(): number;
  port(): number | undefined;
  close(keepsPath: boolean): void;
}

/**
 * Closes a server. `node:net` removes its path then, even if another process has
 * replaced the socket: so the path is moved away meanwhile.
 *
 * @param keptPath Path that stays.
 */
export function closeServer(
  { getBuiltinModule: load }: NodeJS.Process,
  server: net.Server,
  keptPath: string | undefined,
): void {
  const fs = load("node:fs");
  if (keptPath === undefined || !fs.existsSync(keptPath)) {
    server.close();
    return;
  }
  const aside = `${keptPath}.${crypto.randomUUID()}`;
  fs.renameSync(keptPath, aside);
  server.close();
  fs.renameSync(aside, keptPath);
}

function parkListener(
  process: NodeJS.Process,
  close: typeof closeServer,
  { path, listen }: ListenerRequest,
  onOpen: (socket: ParkedSocket) => void,
  onError: (error: Error) => void,
): void {
  const server = process.getBuiltinModule("node:net").createServer();
  server.once("error", onError);
  server.listen(listen, () => {
    onOpen({
      fd: () => (server as unknown as { _handle: { fd: number } })._handle.fd,
      port: () => (server.address() as { port?: number } | null)?.port,
      close: (keepsPath) =>
        close(process, server, keepsPath ? path : undefined),
    });
  });
}

function parkDatagram(
  { getBuiltinModule: load }: NodeJS.Process,
  { options, bind }: DatagramRequest,
  onOpen: (socket: ParkedSocket) => void,
  onError: (error: Error) => void,
): void {
  const socket = load("node:dgram").createSocket(options);
  socket.once("error", onError);
  socket.bind(bind, () => {
    onOpen({
      fd() {
        const symbol = Object.getOwnPropertySymbols(socket)
          .find(({ description }) => description === "state symbol")!;
        return (socket as unknown as Record<
          symbol,
          { handle: { fd: number } }
        >)[symbol]!.handle.fd;
      },
      port: () => socket.address().port,
      close: () => socket.close(),
    });
  });
}

/** Opens the requested sockets in order, then blocks until they must close. */
function park(
  process: NodeJS.Process,
  openListener: typeof parkListener,
  openDatagram: typeof parkDatagram,
  close: typeof closeServer,
): void {
  const { parentPort, workerData } = process.getBuiltinModule(
    "node:worker_threads",
  );
  const { requests, control } = workerData as ThreadData;
  const sockets: ParkedSocket[] = [];
  const reply = (message: OpenNotice | OpenReply) =>
    parentPort!.postMessage(message);
  const closeAll = (keepsPaths: boolean) => {
    for (const socket of sockets) socket.close(keepsPaths);
    parentPort!.close();
  };
  const onError = (error: Error) => {
    const { code = String(error) } = error as { code?: string };
    reply({ failedIndex: sockets.length, code });
    closeAll(false);
  };
  const onOpen = (socket: ParkedSocket) => {
    sockets.push(socket);
    openNext();
  };
  const openNext = () => {
    const request = requests[sockets.length];
    if (request !== undefined) {
      reply({ opens: sockets.length });
      // Not an event: the sockets before this one would accept meanwhile.
      Atomics.wait(control, 1, sockets.length);
      return request.kind === "stream"
        ? openListener(process, close, request, onOpen, onError)
        : openDatagram(process, request, onOpen, onError);
    }
    reply({
      fds: sockets.map((socket) => socket.fd()),
      ports: sockets.map((socket) => socket.port()),
    });
    // Blocks the event loop, so that nothing is accepted or read.
    Atomics.wait(control, 0, 0);
    closeAll(true);
  };
  openNext();
}

/** Source text of the thread. It has no names, which a bundler may change. */
export const PARKED_THREAD: string =
  `(${park})(process, ${parkListener}, ${parkDatagram}, ${closeServer})`;
