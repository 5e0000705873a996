/**
 * The neutral `serve` and `listen` on Deno's own servers.
 *
 * @module
 */

import { type Address, inetAddress } from "../../core/address.ts";
import type { Connection } from "../../core/types.ts";
import { delay } from "../timers.ts";
import { createListeners } from "../adoption/create_listeners.ts";
import type { Backend, ConnectionListener } from "../backend.ts";
import { guard } from "../http/fetch_handler.ts";
import { isForbiddenMethod, isHost } from "../http/request_checks.ts";
import { RequestInfo } from "../http/serve_info.ts";
import { fromDenoAddr, fromDenoConn } from "./connection.ts";
import { denoFunctions } from "./functions.ts";
import { createDenoListener } from "./listeners.ts";
import { DenoServer } from "./server.ts";

/** `Deno.serve` and `Deno.listen`. */
export const denoBackend: Backend = {
  name: "deno",
  serve(platform, source, handler, onError, context, action) {
    const { answer, answerError } = guard(handler, onError);
    // Reading the client's address takes a while, so it is read early only for a
    // handler that takes it. Deno forgets it with the response.
    const toInfo = handler.length > 1
      ? (info: Deno.ServeHandlerInfo) =>
        new RequestInfo(context, readAddress(info))
      : (info: Deno.ServeHandlerInfo) =>
        new RequestInfo(context, () => readAddress(info));
    return DenoServer.create(
      platform,
      source,
      // Answers what Deno itself rejects in a response.
      { onError: answerError },
      (request, info) => answer(request, toInfo(info)),
      (request, _info) => {
        const named = withHost(request);
        return typeof named === "number"
          ? new Response(null, { status: named })
          : answer(named, new RequestInfo(context, undefined));
      },
      action,
      context,
    );
  },
  listen(platform, source, action) {
    const functions = denoFunctions();
    const { listeners, sockets } = createListeners(
      platform,
      source,
      "stream-listener",
      {
        create: (bindTo, inherited) =>
          createDenoListener(functions, bindTo, inherited),
        close: (listener) => listener.close(),
      },
      action,
    );
    return listeners.map((listener): ConnectionListener => {
      let accepting: Promise<void> | undefined;
      return {
        address: fromDenoAddr(listener.addr),
        attach(onConnection) {
          accepting = acceptAll(listener, onConnection);
        },
        close() {
          listener.close();
          // The path of a listener that accepts is removed only afterwards.
          return accepting;
        },
        hasConnections: () => sockets.mayHaveConnections(),
        ref: () => listener.ref(),
        unref: () => listener.unref(),
      };
    });
  },
};

function readAddress(
  { remoteAddr }: Deno.ServeHandlerInfo,
): Address | undefined {
  const { hostname, port } = remoteAddr as Deno.NetAddr;
  return inetAddress(hostname, port);
}

/**
 * Returns a request with its real host, or the status to refuse it with: Deno's
 * requests on Unix sockets have the path of the socket as their host.
 */
function withHost(request: Request): Request | 400 | 501 {
  const { method, headers, body } = request;
  if (isForbiddenMethod(method)) return 501;
  const host = headers.get("host") ?? "localhost";
  const { pathname, search } = new URL(request.url);
  const url = `http://${host}${pathname}${search}`;
  if (!isHost(host) || !URL.canParse(url)) return 400;
  const named = new Request(url, { method, headers, body });
  // Only when it is read, because Deno warns of what the signal does.
  return Object.defineProperty(named, "signal", { get: () => request.signal });
}

/** Delay after an error of one connection attempt. */
const RETRY_MS = 10;

/** Accepts until the listener is closed. */
async function acceptAll(
  listener: Deno.Listener,
  onConnection: (connection: Connection) => void,
): Promise<void> {
  for (;;) {
    try {
      onConnection(fromDenoConn(await listener.accept(), listener.addr));
    } catch (error) {
      const { name } = error as Error;
      if (name === "BadResource" || name === "Interrupted") return;
      // An aborted connection, say: the others are accepted later.
      await delay(RETRY_MS);
    }
  }
}
