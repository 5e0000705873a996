/**
 * The functions of Deno that create servers and listeners.
 *
 * @module
 */

import { ActivationError } from "../../core/errors.ts";
import { once } from "../descriptors.ts";

/**
 * A socket of `Deno.listenDatagram`: what `Deno.DatagramConn` has, whose type is
 * among Deno's unstable ones.
 */
export interface DatagramConn extends AsyncIterable<[Uint8Array, Deno.Addr]> {
  /** The address that it receives on. */
  readonly addr: Deno.Addr;
  /** Waits for a datagram, and returns it with its sender. */
  receive(buffer?: Uint8Array): Promise<[Uint8Array, Deno.Addr]>;
  /** Sends a datagram, and returns the number of bytes sent. */
  send(data: Uint8Array, to: Deno.Addr): Promise<number>;
  /** Closes it. */
  close(): void;
}

/** The functions that listeners are created with. */
export interface DenoFunctions
  extends Pick<typeof Deno, "serve" | "listen" | "listenTls"> {
  /** `undefined` without `--unstable-net`. */
  readonly listenDatagram:
    | ((
      options: {
        transport: "udp";
        hostname: string;
        port: number;
        loopback?: boolean;
      },
    ) => DatagramConn)
    | undefined;
}

/**
 * Deno's functions as they were at the first call, so that they stay the
 * originals where a program's global ones are replaced.
 */
export const denoFunctions: () => DenoFunctions = once(() => {
  const { serve, listen, listenTls, listenDatagram } = Deno as
    & typeof Deno
    & Pick<DenoFunctions, "listenDatagram">;
  return { serve, listen, listenTls, listenDatagram };
});

/**
 * Returns `Deno.listenDatagram`.
 *
 * @throws {ActivationError} With the code `unsupported`.
 */
export function requireListenDatagram(
  action: string,
): NonNullable<DenoFunctions["listenDatagram"]> {
  const { listenDatagram } = denoFunctions();
  if (listenDatagram !== undefined) return listenDatagram;
  throw new ActivationError(
    "unsupported",
    `${action}: Deno.listenDatagram is missing: run with --unstable-net`,
  );
}
