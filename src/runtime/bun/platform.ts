/**
 * The shim for Bun, whose `net.Socket` can't take a descriptor over.
 *
 * @module
 */

import type * as http from "node:http";
import { ActivationError } from "../../core/errors.ts";
import { firstKnown } from "../../linux/chain.ts";
import { processGlobal } from "../builtin.ts";
import { bunLibc, NO_LIBC } from "../open_libc.ts";
import {
  closeFile,
  inspectLibc,
  inspectProc,
  isClosed,
  nodeRuntime,
  once,
} from "../node/platform.ts";
import type { Connection } from "../../core/types.ts";
import type { BunSocket, BunSocketHandlers } from "./connection.ts";
import type { BunServers } from "./types.ts";
import type { Runtime } from "../platform.ts";
import { PORTABLE_SINCE } from "../versions.ts";

/** What this shim uses of the global `Bun`. */
export interface BunGlobal extends BunServers {
  readonly version: string;
  connect(options: {
    fd: number;
    allowHalfOpen: boolean;
    socket: BunSocketHandlers;
  }): Promise<BunSocket>;
}

/** Makes the shim for Bun. */
export function bunRuntime(bun: BunGlobal): Runtime {
  const { pid } = processGlobal()!;
  const libc = once(bunLibc);
  const inspector = firstKnown(inspectLibc(libc), inspectProc);
  return {
    ...nodeRuntime(),
    name: "bun",
    title: "Bun",
    version: bun.version,
    since: PORTABLE_SINCE.bun,
    httpServerTakesDescriptors: false,
    inspector,
    libc,
    pidfdId: () => libc()?.pidfdId(pid),
    adopter: () => libc() ?? NO_LIBC,
    receive: (fd) => libc()?.setCloseOnExec(fd) ?? !isClosed(fd),
    close: (fd) => closeFile(fd, inspector),
    prepareRequest: pauseSocket,
    connect: (fd) => connectBun(bun, fd),
    native: async () => (await import("./backend.ts")).bunBackends(bun),
  };
}

/**
 * Pausing a request whose connection was given to the server doesn't pause the
 * socket on Bun: a body that is not read would pile up in memory.
 */
function pauseSocket(request: http.IncomingMessage): void {
  const { socket } = request;
  const { pause, resume } = request;
  request.pause = () => {
    socket.pause();
    return pause.call(request);
  };
  request.resume = () => {
    socket.resume();
    return resume.call(request);
  };
}

/** Takes over a connected stream socket through `Bun.connect`. */
async function connectBun(bun: BunGlobal, fd: number): Promise<Connection> {
  const { BunStreams } = await import("./connection.ts");
  const streams = new BunStreams();
  try {
    const socket = await bun.connect({
      fd,
      allowHalfOpen: true,
      socket: streams.handlers,
    });
    return streams.open(socket, undefined);
  } catch (error) {
    throw new ActivationError(
      "failed",
      `Taking over the connection in descriptor ${fd}: ${
        (error as Error).message
      }`,
      { cause: error },
    );
  }
}
