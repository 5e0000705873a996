/** Clients: connections, and HTTP requests on connections of their own. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { buffer, text } from "node:stream/consumers";

/** The address that a client connects to. */
export type Target = net.NetConnectOpts;

/** A target of TCP. */
export interface TcpTarget {
  readonly host: string;
  readonly port: number;
}

/** Connects; rejects if no process listens. */
export async function connect(target: Target): Promise<net.Socket> {
  const socket = net.connect(target);
  await once(socket, "connect");
  return socket;
}

/** Connects; returns `undefined` while no process listens. */
export async function tryConnect(
  target: Target,
): Promise<net.Socket | undefined> {
  return await connect(target).catch(() => undefined);
}

/** Sends bytes, ends the sending side, and reads all that comes back. */
export async function exchange(
  target: Target | net.Socket,
  data: string,
): Promise<string> {
  const socket = target instanceof net.Socket
    ? target
    : net.connect({ ...target, allowHalfOpen: true });
  return await text(socket.end(data));
}

/** An HTTP response, read whole; a character of the body is a byte. */
export interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** Sends an HTTP request, by default on a connection of its own. */
export async function request(
  target: http.RequestOptions,
  options: http.RequestOptions = {},
  body?: string | Uint8Array,
): Promise<Reply> {
  return await receive(
    http.request({ agent: false, ...target, ...options }),
    body,
  );
}

async function receive(
  sent: http.ClientRequest,
  body?: string | Uint8Array,
): Promise<Reply> {
  const responded = once(sent, "response");
  // It may fail later, too; the response tells of that.
  sent.on("error", () => {});
  sent.end(body);
  const [response] = await responded as [http.IncomingMessage];
  const { statusCode, headers } = response;
  const bytes = await buffer(response);
  return { status: statusCode!, headers, body: bytes.toString("latin1") };
}

/** Sends an HTTP request over TLS, whatever the certificate of the server. */
export async function requestTls(target: https.RequestOptions): Promise<Reply> {
  return await receive(
    https.request({ agent: false, rejectUnauthorized: false, ...target }),
  );
}

/** Gets a path from a port of 127.0.0.1; an agent can keep the connection. */
export async function getBody(
  port: number,
  path: string,
  agent: http.Agent | false = false,
): Promise<string> {
  const { status, body } = await request(
    { host: "127.0.0.1", port, path },
    { agent },
  );
  assert.equal(status, 200);
  return body;
}
