/**
 * Finding the connections of an HTTP/1 server on which no request has begun.
 *
 * @module
 */

import type * as net from "node:net";
import { builtin } from "../builtin.ts";

/**
 * Asks the server's parsers which connections are idle: only they know of a part
 * of a request. `closeIdleConnections()` alone can tell, so that it is called
 * while the sockets can't be destroyed.
 *
 * @param sockets All sockets of the server.
 */
export function idleSockets(
  server: net.Server,
  sockets: Iterable<net.Socket>,
): Set<net.Socket> {
  const idle = new Set<net.Socket>();
  const own = new Map<net.Socket, PropertyDescriptor | undefined>();
  for (const socket of sockets) {
    own.set(socket, Object.getOwnPropertyDescriptor(socket, "destroy"));
    Object.defineProperty(socket, "destroy", {
      configurable: true,
      value: () => {
        idle.add(socket);
        return socket;
      },
    });
  }
  try {
    // A server of HTTP/2 has the connections, but not the method.
    const { closeIdleConnections } = builtin("node:http").Server.prototype;
    closeIdleConnections.call(server as never);
  } finally {
    for (const [socket, descriptor] of own) {
      if (descriptor === undefined) Reflect.deleteProperty(socket, "destroy");
      else Object.defineProperty(socket, "destroy", descriptor);
    }
  }
  return idle;
}
