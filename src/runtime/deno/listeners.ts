/**
 * Deno's own servers and listeners at a place, with what they show corrected:
 * the inherited address where the place is only a placeholder.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { Place, Placeholder } from "../adoption/placeholder.ts";

/** Where `Deno.serve` and `Deno.listen` are told to listen. */
type DenoPlace =
  | { readonly hostname: string; readonly port: number }
  | { readonly path: string };

/** The options of `Deno.serve` without the address. */
export type DenoServeOptions =
  & Omit<Deno.ServeTcpOptions, keyof Deno.NetAddr | "reusePort" | "tcpBacklog">
  & Partial<Deno.TlsCertifiedKeyPem>;

/**
 * A socket of `Deno.listenDatagram`: what `Deno.DatagramConn` has, whose type
 * Deno shows with its unstable types only.
 */
export interface DatagramConn extends AsyncIterable<[Uint8Array, Deno.Addr]> {
  /** The address that it receives on. */
  readonly addr: Deno.Addr;
  /** Waits for a datagram, and gives it with its sender. */
  receive(buffer?: Uint8Array): Promise<[Uint8Array, Deno.Addr]>;
  /** Sends a datagram; gives the number of bytes sent. */
  send(data: Uint8Array, to: Deno.Addr): Promise<number>;
  /** Closes it. */
  close(): void;
}

/** Makes a server of `Deno.serve`. It says nothing of its own accord. */
export function serveAt(
  { bind, inherited }: Place,
  options: DenoServeOptions,
  handler: Deno.ServeHandler<Deno.Addr>,
): Deno.HttpServer {
  const isUnix = inherited !== undefined && bind.kind === "unix";
  const server = Deno.serve({
    ...options,
    ...denoPlace(bind),
    onListen() {},
  } as Deno.ServeTcpOptions, isUnix ? withPath(handler, inherited) : handler);
  if (inherited !== undefined) show(server, toDenoAddr(inherited));
  return server as Deno.HttpServer;
}

/** Makes a listener of `Deno.listen`. */
export function listenAt({ bind, inherited }: Place): Deno.Listener {
  const listener = bind.kind === "unix"
    ? Deno.listen({ transport: "unix", path: bind.path })
    : Deno.listen(denoPlace(bind) as Deno.TcpListenOptions);
  return corrected(listener as Deno.Listener, inherited);
}

/** Makes a listener of `Deno.listenTls`. */
export function listenTlsAt(
  { bind, inherited }: Place,
  options: Omit<Deno.ListenTlsOptions, "port" | "hostname">,
  pem: Deno.TlsCertifiedKeyPem,
): Deno.TlsListener {
  if (bind.kind === "unix") {
    throw new TypeError("Deno.listenTls has no Unix sockets");
  }
  const { hostname, port } = bind;
  const listener = Deno.listenTls({ ...options, ...pem, hostname, port });
  return corrected(listener, inherited);
}

/** Makes a socket of `Deno.listenDatagram`. */
export function listenDatagramAt(
  { bind, inherited }: Place,
  open: (place: { hostname: string; port: number }) => DatagramConn,
): DatagramConn {
  const socket = open(denoPlace(bind) as { hostname: string; port: number });
  if (inherited !== undefined) show(socket, toDenoAddr(inherited, "udp"));
  return socket;
}

/** An address as Deno has it; abstract names begin with a NUL byte there. */
function toDenoAddr(
  address: Address,
  transport: "tcp" | "udp" = "tcp",
): Deno.Addr {
  switch (address.kind) {
    case "ipv4":
    case "ipv6":
      return { transport, hostname: address.hostname, port: address.port };
    case "unix":
      return { transport: "unix", path: address.path };
    case "unix-abstract":
      return { transport: "unix", path: `\0${address.name}` };
    default:
      return { transport: "unix", path: "" };
  }
}

function denoPlace(place: Placeholder): DenoPlace {
  if (place.kind === "unix") return { path: place.path };
  return { hostname: place.hostname, port: place.port };
}

function show(owner: object, addr: Deno.Addr): void {
  Object.defineProperty(owner, "addr", {
    configurable: true,
    enumerable: true,
    writable: true,
    value: addr,
  });
}

/** Deno tells the path of a Unix listener as the address of its clients. */
function withPath(
  handler: Deno.ServeHandler<Deno.Addr>,
  inherited: Address,
): Deno.ServeHandler<Deno.Addr> {
  const remoteAddr = toDenoAddr(inherited);
  return (request, info) =>
    handler(request, { remoteAddr, completed: info.completed });
}

/** Accepted Unix sockets have the path of the placeholder, too. */
function corrected<T extends Deno.Listener<Deno.Conn>>(
  listener: T,
  inherited: Address | undefined,
): T {
  if (inherited === undefined) return listener;
  const addr = toDenoAddr(inherited);
  show(listener, addr);
  if (addr.transport !== "unix") return listener;
  const { accept } = listener;
  listener.accept = async () => {
    const connection = await accept.call(listener);
    Object.defineProperty(connection, "localAddr", {
      configurable: true,
      enumerable: true,
      value: addr,
    });
    return connection;
  };
  return listener;
}
