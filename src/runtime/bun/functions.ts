/**
 * The functions of Bun that create servers and sockets, and what this library
 * uses of these. Bun's own types have more, where they are installed.
 *
 * @module
 */

import { once } from "../descriptors.ts";
import type { BunSocket, BunStreams } from "./connection.ts";

/** A server of `Bun.serve`. */
export interface BunServer {
  /** Its host; `undefined` for a Unix socket. */
  readonly hostname?: string | undefined;
  /** Its port; `undefined` for a Unix socket. */
  readonly port?: number | undefined;
  /** Its address; a path for a Unix socket. */
  readonly address?: ReturnType<BunServer["requestIP"]> | string | undefined;
  /** Number of requests without a complete response. */
  readonly pendingRequests: number;
  /** Number of open WebSockets. */
  readonly pendingWebSockets: number;
  /** `http` or `https`. */
  readonly protocol: string | null;
  /** Stops accepting, and closes connections at once if asked to. */
  stop(closeActiveConnections?: boolean): Promise<void>;
  /** Takes other handlers. */
  reload(options: object): unknown;
  /** Keeps the process alive. */
  ref(): void;
  /** Lets the process end. */
  unref(): void;
  /** The client's address. */
  requestIP(
    request: Request,
  ): { address: string; family: "IPv4" | "IPv6"; port: number } | null;
  /** Upgrades a request to a WebSocket. */
  upgrade(request: Request, options?: object): boolean;
  /** Sets the time in seconds that a request may be idle. */
  timeout(request: Request, seconds: number): void;
  /** Sends to the WebSockets that subscribed to a topic. */
  publish(topic: string, data: unknown, compress?: boolean): number;
  /** Number of WebSockets that subscribed to a topic. */
  subscriberCount(topic: string): number;
  /** Closes connections without a request. */
  closeIdleConnections?: (() => void) | undefined;
}

/** A listener of `Bun.listen`. */
export interface BunListener
  extends Pick<BunServer, "hostname" | "port" | "reload" | "ref" | "unref"> {
  /** Stops accepting, and closes connections at once if asked to. */
  stop(closeActiveConnections?: boolean): void;
}

/** The functions of the global `Bun` that create servers and sockets. */
export interface BunFunctions {
  /** `Bun.serve` */
  serve(options: Record<string, unknown>): BunServer;
  /** `Bun.listen` */
  listen(options: Record<string, unknown>): BunListener;
  /** `Bun.version` */
  readonly version: string;
  /** `Bun.connect` of a descriptor */
  connect(options: {
    fd: number;
    allowHalfOpen: boolean;
    socket: BunStreams["handlers"];
  }): Promise<BunSocket>;
  /** `Bun.udpSocket` */
  udpSocket(options: Record<string, unknown>): Promise<{ close(): void }>;
}

/**
 * Bun's functions as they were at the first call, so that they stay the
 * originals where a program's global ones are replaced.
 */
export const bunFunctions: () => Omit<BunFunctions, "version" | "connect"> =
  once(() => {
    const { Bun } = globalThis as unknown as { Bun: BunFunctions };
    const { serve, listen, udpSocket } = Bun;
    return { serve, listen, udpSocket };
  });
