/**
 * The sessions of an HTTP/2 server, which end without losing a stream.
 *
 * @module
 */

import type * as http2 from "node:http2";
import { shutdownTimes } from "../../shutdown/times.ts";

/** The code of a GOAWAY frame without an error (RFC 9113, 7). */
const NGHTTP2_NO_ERROR = 0;

/** A session, with what its end depends on. */
interface Session {
  readonly session: http2.ServerHttp2Session;
  openStreams: number;
  /** Whether a stream was open while the server ended. */
  wasBusy: boolean;
  timer?: ReturnType<typeof setInterval>;
}

/** The sessions of one server. */
export class Http2Sessions {
  readonly #sessions = new Set<Session>();
  #isEnding = false;

  /** Tracks a session until it is closed. */
  add(session: http2.ServerHttp2Session): void {
    const tracked: Session = { session, openStreams: 0, wasBusy: false };
    const onClose = () => void tracked.openStreams--;
    session.on("stream", (stream) => {
      tracked.openStreams++;
      tracked.wasBusy ||= this.#isEnding;
      stream.on("close", onClose);
    });
    this.#sessions.add(tracked);
    session.once("close", () => {
      clearInterval(tracked.timer);
      this.#sessions.delete(tracked);
    });
    if (this.#isEnding) this.#end(tracked);
  }

  /** Ends each session after the streams that are open on it. */
  closeGracefully(): void {
    this.#isEnding = true;
    for (const tracked of this.#sessions) this.#end(tracked);
  }

  /** Closes all sessions at once, and forgets that they ended. */
  destroy(): void {
    this.#isEnding = false;
    for (const { session, timer } of this.#sessions) {
      clearInterval(timer);
      session.destroy();
    }
  }

  /**
   * Sends GOAWAY, after which the client closes the connection when it has read
   * everything. `session.close()` would end our side with the last stream, and a
   * client may drop what it has not read yet. Only a session that was idle is
   * closed from our side: a slow client with large windows is silent for long.
   */
  #end(tracked: Session): void {
    const { session } = tracked;
    if (session.destroyed) return;
    tracked.wasBusy = tracked.openStreams > 0;
    session.on("goaway", (code) => {
      if (code !== NGHTTP2_NO_ERROR || !tracked.wasBusy) return;
      // A client answers with a GOAWAY of its own, on which Node closes our side
      // as soon as the last stream is sent. This call alone is left out.
      session.close = () => void Reflect.deleteProperty(session, "close");
    });
    session.goaway();
    let { bytesRead } = session.socket;
    tracked.timer = setInterval(() => {
      if (tracked.wasBusy) return clearInterval(tracked.timer);
      // The client knows that the session ends, and its side is still open.
      if (session.closed || session.destroyed) return session.destroy();
      const isSilent = session.socket.bytesRead === bytesRead;
      ({ bytesRead } = session.socket);
      if (isSilent) session.close();
    }, shutdownTimes.lingerMs);
  }
}
