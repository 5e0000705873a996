/**
 * The arguments of `Deno.serve`.
 *
 * @module
 */

import { requireHandler, requireOptions } from "../../core/errors.ts";

/**
 * Returns the options and the handler as `Deno.serve` reads its arguments: the
 * first function is the handler, else the member of the options.
 */
export function readServeArguments<Options extends object>(
  args: readonly unknown[],
  action: string,
): {
  readonly options: Options;
  readonly handler: Deno.ServeHandler<Deno.Addr>;
} {
  const [first, second] = args;
  const hasHandler = typeof first === "function" ||
    typeof second === "function";
  const given = typeof first === "function" ? second : first;
  const options = hasHandler && given === undefined ? {} : given;
  requireOptions(options, action, true);
  const handler = !hasHandler
    ? Reflect.get(options as object, "handler")
    : typeof first === "function"
    ? first
    : second;
  requireHandler(handler, action);
  return {
    options: options as Options,
    handler: handler as Deno.ServeHandler<Deno.Addr>,
  };
}
