/**
 * A fetch handler as a request listener of `node:http`.
 *
 * @module
 */

import type * as http from "node:http";
import { inetAddress } from "../../core/address.ts";
import type { ServeHandler, ServeOptions } from "../../core/types.ts";
import { guard, isThenable } from "../http/fetch_handler.ts";
import { RequestInfo } from "../http/serve_info.ts";
import { isForbiddenMethod, isHost } from "../http/request_checks.ts";
import type { Platform } from "../platform.ts";
import type { ServerContext } from "../server_context.ts";
import type { NodeRequest } from "./fetch_request.ts";
import type { Exchange } from "./http_connections.ts";
import { isFastResponse, sendResponse } from "./send_response.ts";

type Conversion = typeof import("./fetch_request.ts");

let conversion: Conversion | undefined;

/** Loads the conversion, which programs that don't need it are spared. */
export async function loadConversion(): Promise<void> {
  conversion ??= await import("./fetch_request.ts");
}

/** Whether {@linkcode fetchListener} can be called. */
export function isConversionLoaded(): boolean {
  return conversion !== undefined;
}

/** Answers a request of `node:http`. */
export type FetchListener = (
  incoming: http.IncomingMessage,
  outgoing: http.ServerResponse,
  exchange: Exchange,
) => void;

/** Creates a request listener that calls a fetch handler. */
export function fetchListener(
  handler: ServeHandler,
  onError: ServeOptions["onError"],
  context: ServerContext,
  takeStaticBody?: Platform["takeStaticBody"],
): FetchListener {
  const { abortRequest } = conversion!;
  const { answer, answerError } = guard(
    handler,
    onError,
    (response) => !isFastResponse(response) && response.bodyUsed,
  );
  const answerFailure = async (
    error: unknown,
    outgoing: http.ServerResponse,
  ) => {
    const response = await answerError(error);
    try {
      // A head that could not be sent may have left its text.
      outgoing.statusMessage = "";
      const fail = () => outgoing.destroy();
      sendResponse(response, outgoing, fail, takeStaticBody);
    } catch {
      outgoing.destroy();
    }
  };
  const send = (response: Response, outgoing: http.ServerResponse) => {
    const fail = (error: unknown) => void answerFailure(error, outgoing);
    try {
      sendResponse(response, outgoing, fail, takeStaticBody);
    } catch (error) {
      fail(error);
    }
  };
  return (incoming, outgoing, exchange) => {
    const request = toRequest(incoming);
    if (typeof request === "number") {
      outgoing.writeHead(request, { connection: "close" }).end();
      return;
    }
    exchange.onClientGone = () => abortRequest(request);
    const { socket } = incoming;
    const readAddress = () =>
      inetAddress(socket.remoteAddress, socket.remotePort);
    const response = answer(request, new RequestInfo(context, readAddress));
    if (isThenable(response)) {
      response.then((settled) => send(settled, outgoing));
    } else {
      send(response, outgoing);
    }
  };
}

/**
 * Converts a request, or returns the status to refuse it with: for a target or
 * host that isn't a valid URL, or a method that fetch forbids.
 */
function toRequest(incoming: http.IncomingMessage): NodeRequest | 400 | 501 {
  const { method, headers, url: target = "/" } = incoming;
  const host = headers.host ?? "localhost";
  if (!isHost(host)) return 400;
  if (isForbiddenMethod(method)) return 501;
  const { NodeRequest } = conversion!;
  try {
    if (target.startsWith("/")) {
      // The first segment of the path would become the host of the URL.
      if (host === "") return 400;
      return new NodeRequest(`http://${host}${target}`, incoming);
    }
    // The absolute form (RFC 9112, 3.2.2): its host stands for the Host header.
    if (!/^https?:\/\//i.test(target)) return 400;
    const { host: targetHost, pathname, search } = new URL(target);
    const url = `http://${targetHost}${pathname}${search}`;
    return new NodeRequest(url, incoming, targetHost);
  } catch {
    return 400;
  }
}
