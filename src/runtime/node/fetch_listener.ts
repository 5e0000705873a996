/**
 * A fetch handler as a request listener of `node:http`.
 *
 * The conversion between the two kinds of request and response comes from
 * `@remix-run/node-fetch-server`: it depends on nothing, gives handlers a real
 * `Request`, streams both bodies with back-pressure, and asks Deno for no
 * permission. (srvx is faster, but reads the environment when imported and gives
 * a look-alike that `new Request()` doesn't take; `@hono/node-server` needs Hono.)
 *
 * @module
 */

import { inetAddress } from "../../core/address.ts";
import type * as http from "node:http";
import type { ClientAddress } from "@remix-run/node-fetch-server";
import type { ServeHandler, ServeOptions } from "../../core/types.ts";
import { guard } from "../http/fetch_handler.ts";
import { isForbiddenMethod, isHost } from "../http/request_checks.ts";
import { RequestInfo } from "../http/serve_info.ts";
import type { ServerContext } from "../server_context.ts";

let conversion: typeof import("@remix-run/node-fetch-server") | undefined;

/** Loads the conversion, which programs that don't need it are spared. */
export async function loadConversion(): Promise<void> {
  conversion ??= await import("@remix-run/node-fetch-server");
}

/** Whether {@linkcode fetchListener} can be called. */
export function isConversionLoaded(): boolean {
  return conversion !== undefined;
}

/** Creates a request listener that calls a fetch handler. */
export function fetchListener(
  handler: ServeHandler,
  onError: ServeOptions["onError"],
  context: ServerContext,
): http.RequestListener {
  const { answer, answerError } = guard(
    handler,
    onError,
    ({ bodyUsed, body }) => bodyUsed || (body?.locked ?? false),
  );
  const listener = conversion!.createRequestListener(
    async (request: Request, { address, port }: ClientAddress) =>
      await answer(
        request,
        new RequestInfo(context, () => inetAddress(address, port)),
      ),
    { onError: answerError },
  );
  return (request, response) => {
    const status = prepare(request);
    if (status === 200) return listener(request, response);
    response.writeHead(status, { connection: "close" }).end();
  };
}

/**
 * Brings a request into the form that a `Request` can have, or returns the
 * status to refuse it with: for a target or host that isn't a valid URL, or a
 * method that fetch forbids.
 */
function prepare(request: http.IncomingMessage): 200 | 400 | 501 {
  const { method, url = "/", headers } = request;
  if (!isHost(headers.host ?? "")) return 400;
  if (isForbiddenMethod(method)) return 501;
  if (url.startsWith("/")) {
    return URL.canParse(`http://${headers.host ?? "localhost"}${url}`)
      ? 200
      : 400;
  }
  // The absolute form (RFC 9112, 3.2.2): its host stands for the Host header.
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return 400;
  const { host, pathname, search } = new URL(url);
  headers.host = host;
  request.url = pathname + search;
  return 200;
}
