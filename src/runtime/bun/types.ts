/**
 * What this library uses of Bun's servers and sockets. Bun's own types have
 * more, where they are installed.
 *
 * @module
 */

/** An address as Bun has it. */
export interface BunAddress {
  /** The numeric address. */
  readonly address: string;
  /** Its family. */
  readonly family: "IPv4" | "IPv6";
  /** The port. */
  readonly port: number;
}

/** A server of `Bun.serve`. */
export interface BunServer {
  /** Its host; `undefined` for a Unix socket. */
  readonly hostname?: string | undefined;
  /** Its port; `undefined` for a Unix socket. */
  readonly port?: number | undefined;
  /** Its address; a path for a Unix socket. */
  readonly address?: BunAddress | string | null | undefined;
  /** How many requests are not answered yet. */
  readonly pendingRequests: number;
  /** How many WebSockets are open. */
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
  requestIP(request: Request): BunAddress | null;
  /** Makes a WebSocket of a request. */
  upgrade(request: Request, options?: object): boolean;
  /** Sets how many seconds a request may be idle. */
  timeout(request: Request, seconds: number): void;
  /** Sends to the WebSockets that subscribed to a topic. */
  publish(topic: string, data: unknown, compress?: boolean): number;
  /** How many WebSockets subscribed to a topic. */
  subscriberCount(topic: string): number;
  /** Closes connections that have no request. */
  closeIdleConnections?: (() => void) | undefined;
}

/** A listener of `Bun.listen`. */
export interface BunListener {
  /** Stops accepting, and closes connections at once if asked to. */
  stop(closeActiveConnections?: boolean): void;
  /** Takes other handlers. */
  reload(options: object): unknown;
  /** Keeps the process alive. */
  ref(): void;
  /** Lets the process end. */
  unref(): void;
}

/** A socket of `Bun.udpSocket`. */
export interface BunUdpSocket {
  /** Closes it. */
  close(): void;
}

/** Options that Bun knows. */
export interface BunOptions {
  /** An option. */
  readonly [name: string]: unknown;
}

/** The functions of the global `Bun` that make them. */
export interface BunServers {
  /** `Bun.serve` */
  serve(options: BunOptions): BunServer;
  /** `Bun.listen` */
  listen(options: BunOptions): BunListener;
  /** `Bun.udpSocket` */
  udpSocket(options: BunOptions): Promise<BunUdpSocket>;
}
