/**
 * Calling a fetch handler in the same way on every runtime: an error, or a result
 * that isn't a response, is answered with `onError`.
 *
 * @module
 */

import type { ServeHandler, ServeOptions } from "../../core/types.ts";

/**
 * Prints the error and answers 500, as `Deno.serve` and `Bun.serve` do with an
 * error that the program doesn't handle.
 */
export const defaultOnError: NonNullable<ServeOptions["onError"]> = (error) => {
  console.error(error);
  return new Response("Internal Server Error", { status: 500 });
};

/**
 * Guards a handler and its error handler, so that neither throws. A response
 * that the handler returns at once is returned at once.
 *
 * @param isUsed Whether the body of a response can't be sent any more.
 */
export function guard(
  handler: ServeHandler,
  onError: NonNullable<ServeOptions["onError"]> = defaultOnError,
  isUsed: (response: Response) => boolean = ({ bodyUsed }) => bodyUsed,
): {
  readonly answer: ServeHandler;
  readonly answerError: (error: unknown) => Promise<Response>;
} {
  const checkResponse = (request: Request, response: unknown) =>
    check(response, "the handler", request, isUsed);
  const answerError = async (error: unknown): Promise<Response> => {
    try {
      const response = await onError(error);
      return check(response, "onError", undefined, isUsed);
    } catch (second) {
      return await defaultOnError(second);
    }
  };
  const fail = (request: Request, error: unknown) =>
    // The runtimes' own servers let an invalid host or target through, which is
    // the client's mistake and not the program's.
    URL.canParse(request.url)
      ? answerError(error)
      : new Response(null, { status: 400 });
  const settle = async (request: Request, promise: PromiseLike<Response>) => {
    try {
      return checkResponse(request, await promise);
    } catch (error) {
      return await fail(request, error);
    }
  };
  return {
    answer(request, info) {
      try {
        const response: Response | PromiseLike<Response> = handler(
          request,
          info,
        );
        return isThenable(response)
          ? settle(request, response)
          : checkResponse(request, response);
      } catch (error) {
        return fail(request, error);
      }
    },
    answerError,
  };
}

/** Checks that a result is a response that can be sent. */
function check(
  response: unknown,
  source: string,
  request: Request | undefined,
  isUsed: (response: Response) => boolean,
): Response {
  const problem = findProblem(response, source, isUsed);
  if (problem === undefined) return response as Response;
  const action = request === undefined
    ? "Answering an error"
    : `Handling ${request.method} ${request.url}`;
  throw new TypeError(`${action}: ${problem}`);
}

function findProblem(
  response: unknown,
  source: string,
  isUsed: (response: Response) => boolean,
): string | undefined {
  if (!(response instanceof Response)) {
    return `expected ${source} to return a Response, found ${typeof response}`;
  }
  if (isUsed(response)) return `the body of the Response is used already`;
  // Only Response.error() has the status 0.
  if (response.status === 0) return `a Response.error() can't be sent`;
  return undefined;
}

/** Whether a value must be awaited; fast for a `Response` and a `Promise`. */
export function isThenable<T>(
  value: T | PromiseLike<T>,
): value is PromiseLike<T> {
  return value instanceof Promise ||
    !(value instanceof Response) &&
      typeof (value as { then?: unknown } | undefined)?.then === "function";
}
