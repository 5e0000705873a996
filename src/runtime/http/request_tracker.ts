/**
 * Counting the requests of a fetch handler, and telling the clients of a server
 * that is being drained to send no more.
 *
 * @module
 */

/** Watches over what a handler is asked and answers. */
export class Announcer {
  /** How many requests have begun since the start. */
  begun = 0;
  /**
   * How many of them the handler has not answered yet, and of how many it is
   * watched whether the answer is sent.
   */
  pending = 0;
  #announcing = false;

  /** From now on, each answer ends its connection. */
  announce(): void {
    this.#announcing = true;
  }

  /** Whether it does. */
  get isAnnouncing(): boolean {
    return this.#announcing;
  }

  /**
   * Passes on what a handler returned: at once, or when it is there.
   *
   * @param answer The answer, or a promise of it.
   * @returns The same, with the announcement if there is one.
   */
  pass<T>(answer: T | Promise<T>): T | Promise<T> {
    if (!isPromise(answer)) return this.#mark(answer);
    this.pending++;
    return Promise.resolve(answer).then(this.#settle, this.#fail);
  }

  /**
   * Watches whether an answer is sent.
   *
   * @param sent Settles when it is, or can't be.
   */
  watch(sent: Promise<void>): void {
    this.pending++;
    const settle = () => {
      this.pending--;
    };
    sent.then(settle, settle);
  }

  readonly #settle = <T>(answer: T): T => {
    this.pending--;
    return this.#mark(answer);
  };

  readonly #fail = (error: unknown): never => {
    this.pending--;
    throw error;
  };

  readonly #mark = <T>(answer: T): T =>
    this.#announcing && answer instanceof Response
      ? endingConnection(answer) as T
      : answer;
}

function isPromise<T>(answer: T | Promise<T>): answer is Promise<T> {
  // Fast for what most handlers return; the runtimes wait for any thenable.
  return answer instanceof Promise ||
    !(answer instanceof Response) &&
      typeof (answer as { then?: unknown } | undefined)?.then === "function";
}

/**
 * Marks an answer as the last one on its connection (RFC 9112, 9.6).
 *
 * @param response The answer.
 * @returns The same, or one like it where its headers can't be changed.
 */
export function endingConnection(response: Response): Response {
  // A WebSocket needs its connection; an error has no headers.
  if (response.status === 101 || response.status === 0) return response;
  try {
    response.headers.set("connection", "close");
    return response;
  } catch {
    const { status, statusText } = response;
    const headers = new Headers(response.headers);
    headers.set("connection", "close");
    return new Response(response.body, { status, statusText, headers });
  }
}
