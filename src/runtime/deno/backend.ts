/**
 * The neutral `serve` and `listen` on Deno's own servers.
 *
 * @module
 */

import type { Connection, ServeInfo } from "../../core/types.ts";
import { Announcer } from "../http/request_tracker.ts";
import type { Backends, StreamBackend } from "../backend.ts";
import { toAddress, toConnection } from "./connection.ts";
import { listenAt } from "./listeners.ts";
import { DenoServers, serverMaker } from "./server.ts";
import { guard, LazyInfo } from "../http/fetch_handler.ts";
import { openNative } from "../adoption/native.ts";
import { isBusy } from "../adoption/listen_sockets.ts";
import { inetAddress } from "../socket_address.ts";

/** `Deno.serve` and `Deno.listen`. */
export const denoBackends: Backends = {
  async serve(runtime, endpoints, { handler, onError }, doing) {
    const { answer, answerError } = guard(handler, onError);
    // Only a handler that takes it needs the client's address: reading it takes
    // a while. It must be read before the answer: Deno forgets it then.
    const toInfo = handler.length > 1
      ? readInfo
      : (info: InetInfo) => new LazyInfo(() => readInfo(info));
    const announcer = new Announcer();
    const maker = serverMaker(
      // What Deno itself finds wrong with an answer.
      { onError: answerError },
      ({ bind }) =>
        bind.kind === "unix"
          ? (request, _info) => {
            const named = withHost(request);
            return typeof named === "number"
              ? new Response(null, { status: named })
              : answer(named, NO_ADDRESS);
          }
          : (request, info) =>
            answer(
              request,
              toInfo(info as Deno.ServeHandlerInfo<Deno.NetAddr>),
            ),
      announcer,
    );
    const opened = await openNative(
      runtime,
      endpoints,
      "stream-listener",
      maker,
      doing,
    );
    const servers = opened.listeners.map(({ server }) => server);
    return {
      server: new DenoServers(opened, announcer),
      addresses: servers.map(({ addr }) => toAddress(addr)),
      ended: Promise.all(servers.map(({ finished }) => finished)),
      ref: () => servers.forEach((each) => each.ref()),
      unref: () => servers.forEach((each) => each.unref()),
    };
  },
  async listen(runtime, endpoints, doing) {
    const maker = {
      bind: listenAt,
      close: (listener: Deno.Listener) => listener.close(),
    };
    const { listeners, sockets } = await openNative(
      runtime,
      endpoints,
      "stream-listener",
      maker,
      doing,
    );
    return listeners.map((listener): StreamBackend => ({
      address: toAddress(listener.addr),
      attach: (onConnection) => void acceptAll(listener, onConnection),
      close: () => listener.close(),
      isBusy: () => isBusy(sockets),
      ref: () => listener.ref(),
      unref: () => listener.unref(),
    }));
  },
};

const NO_ADDRESS: ServeInfo = { remoteAddress: undefined };

type InetInfo = Deno.ServeHandlerInfo<Deno.NetAddr>;

function readInfo({ remoteAddr }: InetInfo): ServeInfo {
  return { remoteAddress: inetAddress(remoteAddr.hostname, remoteAddr.port) };
}

/**
 * Deno's requests on Unix sockets have the path of the socket as their host: the
 * same request with its real one, or the status to refuse it with.
 */
function withHost(request: Request): Request | 400 | 501 {
  const { method, headers, body } = request;
  // No Request can be made of these.
  if (["CONNECT", "TRACE", "TRACK"].includes(method)) return 501;
  const host = headers.get("host") ?? "localhost";
  const { pathname, search } = new URL(request.url);
  const url = `http://${host}${pathname}${search}`;
  if (!/^[^\s/?#@\\]*$/.test(host) || !URL.canParse(url)) return 400;
  const named = new Request(url, { method, headers, body });
  // Only for who asks for it: Deno warns of what the signal does.
  return Object.defineProperty(named, "signal", { get: () => request.signal });
}

/** How long to wait after an error of one connection attempt. */
const RETRY_MS = 10;

/** Accepts until the listener is closed. */
async function acceptAll(
  listener: Deno.Listener,
  onConnection: (connection: Connection) => void,
): Promise<void> {
  for (;;) {
    try {
      onConnection(toConnection(await listener.accept(), listener.addr));
    } catch (error) {
      const { name } = error as Error;
      if (name === "BadResource" || name === "Interrupted") return;
      // Too many open files, say: those that wait are accepted later.
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
