/**
 * The platform Bun, whose `net.Socket` can't take over a descriptor.
 *
 * @module
 */

import type * as http from "node:http";
import type { Connection } from "../../core/types.ts";
import { openLibc } from "../../ffi/libc.ts";
import { EpollSocket } from "../../linux/epoll_socket.ts";
import { findListener } from "../../linux/listening_fds.ts";
import { processGlobal } from "../builtin.ts";
import { holdWhileExhausted } from "../adoption/exhaustion.ts";
import { inspectorWith, NO_LIBC, once } from "../descriptors.ts";
import { connectError } from "../errors.ts";
import type { MissingLibc, Platform } from "../platform.ts";
import { processMembers } from "../process_members.ts";
import { PORTABLE_VERSIONS } from "../versions.ts";
import type { BunFunctions } from "./functions.ts";

/** Creates the platform for Bun. */
export function bunPlatform(
  bun: Pick<BunFunctions, "version" | "connect">,
): Platform {
  const libc = once(openLibc);
  return {
    ...processMembers(libc, inspectorWith(libc)),
    name: "bun",
    title: "Bun",
    version: bun.version,
    setsCloseOnExecAtStart: true,
    minimumVersions: PORTABLE_VERSIONS.bun,
    adoptionLibc: () => libc() ?? missingLibc(),
    connect: (fd) => connectBun(bun, fd),
    httpServerTakesDescriptors: false,
    fixRequestPause: pauseSocket,
    spinsWhenExhausted: true,
    surviveExhaustion(_server, fd, address) {
      const opened = libc();
      if (opened === undefined) return;
      const listenFd = fd ?? findListener(opened, address);
      if (listenFd === undefined) return;
      holdWhileExhausted(opened, [EpollSocket.find(opened, listenFd)]);
    },
  };
}

/** The reason why the C library can't be called. */
function missingLibc(): MissingLibc {
  // Bun has it from 1.2.6 on, and `bun:ffi` is found through it.
  return processGlobal()!.getBuiltinModule === undefined
    ? {
      reason: "this version of Bun has no process.getBuiltinModule: use Bun " +
        "1.2.6 or later",
      isDenied: false,
    }
    : NO_LIBC;
}

/**
 * Makes pausing a request pause its socket. Bun doesn't where the connection was
 * passed to the server, so that an unread body would fill the memory.
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
async function connectBun(
  bun: Pick<BunFunctions, "connect">,
  fd: number,
): Promise<Connection> {
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
    throw connectError(error, fd);
  }
}
