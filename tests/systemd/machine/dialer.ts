/**
 * Makes sockets in the network namespace that it was started in, and sends them
 * to the process that started it: a socket stays in its namespace for life.
 */

import dgram from "node:dgram";
import net from "node:net";
import process from "node:process";

/** A request of {@linkcode Machine}. */
export interface Dial {
  readonly id: number;
  /** The target to connect to; a UDP socket, if missing. */
  readonly target?: net.NetConnectOpts;
}

/** The answer: the socket, and then that it has come, or an error. */
export interface Dialed {
  readonly id: number;
  /** Whether this message brings the socket. */
  readonly isHandle?: boolean;
  readonly error?: { readonly code: string; readonly message: string };
}

function dial({ id, target }: Dial): void {
  if (target === undefined) {
    const socket = dgram.createSocket("udp4");
    socket.bind(0, "127.0.0.1", () => {
      process.send!({ id, isHandle: true } satisfies Dialed, socket, {}, () => {
        // Only now is the other process alone to receive what comes.
        socket.close(() => process.send!({ id } satisfies Dialed));
      });
    });
    return;
  }
  const socket = net.connect({ ...target, allowHalfOpen: true });
  // Nothing is read here: all that comes is for whoever gets the socket.
  socket.pause();
  const fail = ({ code, message }: NodeJS.ErrnoException) => {
    process.send!(
      { id, error: { code: code ?? "", message } } satisfies Dialed,
    );
  };
  socket.once("error", fail);
  socket.once("connect", () => {
    socket.off("error", fail);
    process.send!({ id, isHandle: true } satisfies Dialed, socket, {}, () => {
      process.send!({ id } satisfies Dialed);
    });
  });
}

process.on("message", dial);
process.on("disconnect", () => process.exit());
process.send!({ id: -1 } satisfies Dialed);
