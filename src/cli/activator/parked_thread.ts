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
  readonly mode?: number;
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
  /** The thread closes its sockets when the first element changes. */
  readonly closing: Int32Array;
}

/** A socket that the thread has opened. */
interface ParkedSocket {
  fd(): number;
  port(): number | undefined;
  close(keepsPath: boolean): void;
}

function parkListener(
  { pid, getBuiltinModule: load }: NodeJS.Process,
  { path, mode, listen }: ListenerRequest,
  onOpen: (socket: ParkedSocket) => void,
  onError: (error: Error) => void,
): void {
  const fs = load("node:fs");
  const server = load("node:net").createServer();
  server.once("error", onError);
  server.listen(listen, () => {
    if (path !== undefined && mode !== undefined) fs.chmodSync(path, mode);
    onOpen({
      fd: () => (server as unknown as { _handle: { fd: number } })._handle.fd,
      port: () => (server.address() as { port?: number } | null)?.port,
      close(keepsPath) {
        if (!keepsPath || path === undefined || !fs.existsSync(path)) {
          server.close();
          return;
        }
        // Closing removes the path, even if another process has replaced the
        // socket: it is moved away meanwhile.
        const aside = `${path}.${pid}`;
        fs.renameSync(path, aside);
        server.close();
        fs.renameSync(aside, path);
      },
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
): void {
  const { parentPort, workerData } = process.getBuiltinModule(
    "node:worker_threads",
  );
  const { requests, closing } = workerData as ThreadData;
  const sockets: ParkedSocket[] = [];
  const reply = (message: OpenReply) => parentPort!.postMessage(message);
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
    if (request?.kind === "stream") {
      return openListener(process, request, onOpen, onError);
    }
    if (request?.kind === "datagram") {
      return openDatagram(process, request, onOpen, onError);
    }
    reply({
      fds: sockets.map((socket) => socket.fd()),
      ports: sockets.map((socket) => socket.port()),
    });
    // Blocks the event loop, so that nothing is accepted or read.
    Atomics.wait(closing, 0, 0);
    closeAll(true);
  };
  openNext();
}

/** Source text of the thread. It has no names, which a bundler may change. */
export const PARKED_THREAD: string =
  `(${park})(process, ${parkListener}, ${parkDatagram})`;
