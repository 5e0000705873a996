/**
 * What is the same for a fetch handler wherever it is called from: its errors
 * are answered, and so is what isn't a response.
 *
 * @module
 */

import type {
  ServeErrorHandler,
  ServeHandler,
  ServeInfo,
} from "../../core/types.ts";

/**
 * What `Deno.serve` and `Bun.serve` do with an error that nobody handles: the
 * client learns that there was one, the operator which.
 */
export const defaultOnError: ServeErrorHandler = (error) => {
  console.error(error);
  return new Response("Internal Server Error", { status: 500 });
};

/**
 * What a handler is told that may not ask. A class: an object literal with a
 * getter takes many times as long to make.
 */
export class LazyInfo implements ServeInfo {
  readonly #read: () => ServeInfo;

  /** @param read Reads it, for each time that it is asked for. */
  constructor(read: () => ServeInfo) {
    this.#read = read;
  }

  get remoteAddress(): ServeInfo["remoteAddress"] {
    return this.#read().remoteAddress;
  }
}

/** A handler, and what answers for it, neither of which throws. */
export interface GuardedHandler {
  /** Answers a request. */
  readonly answer: (
    request: Request,
    info: ServeInfo,
  ) => Response | Promise<Response>;
  /** Answers an error. */
  readonly answerError: (error: unknown) => Promise<Response>;
}

/**
 * Guards a handler. What it answers at once is passed on at once.
 *
 * @param handler Answers a request.
 * @param onError Answers where the handler threw; by default the error is
 * printed and the answer is a plain 500.
 * @param isUsed Whether the body of a response can't be sent any more.
 * @returns The handler, which doesn't throw.
 */
export function guard(
  handler: ServeHandler,
  onError: ServeErrorHandler = defaultOnError,
  isUsed: (response: Response) => boolean = ({ bodyUsed }) => bodyUsed,
): GuardedHandler {
  const check = (
    what: string,
    doing: () => string,
    response: unknown,
  ): Response => {
    if (!(response instanceof Response)) {
      throw new TypeError(
        `${doing()}: expected ${what} to return a Response, found ` +
          typeof response,
      );
    }
    if (isUsed(response)) {
      throw new TypeError(
        `${doing()}: the body of the Response is used already`,
      );
    }
    // Only Response.error() has that.
    if (response.status === 0) {
      throw new TypeError(`${doing()}: a Response.error() can't be sent`);
    }
    return response;
  };
  const answerError = async (error: unknown): Promise<Response> => {
    try {
      return check("onError", () => "Answering an error", await onError(error));
    } catch (second) {
      return await defaultOnError(second);
    }
  };
  const checkAnswer = (request: Request, response: unknown) =>
    check(
      "the handler",
      () => `Handling ${request.method} ${request.url}`,
      response,
    );
  return {
    answer(request, info) {
      const fail = (error: unknown) =>
        // Of a host or target that makes no URL, which the runtime's own servers
        // let through, the client is to learn, and nobody else.
        URL.canParse(request.url)
          ? answerError(error)
          : new Response(null, { status: 400 });
      try {
        const answer: Response | PromiseLike<Response> = handler(request, info);
        return isPromise(answer)
          ? Promise.resolve(answer).then((response) =>
            checkAnswer(request, response)
          )
            .catch(fail)
          : checkAnswer(request, answer);
      } catch (error) {
        return fail(error);
      }
    },
    answerError,
  };
}

function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | undefined)?.then === "function";
}
