/**
 * The arguments of `listen()` of `node:net`, in all of its forms.
 *
 * @module
 */

import type * as net from "node:net";
import { quote } from "../core/errors.ts";
import {
  type AskedAddress,
  askedPath,
  askedPort,
  showAsked,
  toPortNumber,
} from "./asked_address.ts";

/** What a call of `listen()` asks for. */
export interface ListenArguments {
  readonly asked: AskedAddress;
  readonly callback: (() => void) | undefined;
  /** The options that are no address. */
  readonly options: Pick<net.ListenOptions, "signal">;
}

/**
 * Reads the arguments.
 *
 * @returns `undefined` for a call that asks for no fixed address: for port 0, a
 * descriptor or a handle, or for one that Node refuses.
 */
export function readListenArguments(
  args: readonly unknown[],
): ListenArguments | undefined {
  const last = args.at(-1);
  const callback = typeof last === "function" ? last as () => void : undefined;
  const [first, second] = args;
  if (typeof first === "object" && first !== null) {
    const { port, host, path, signal, fd, _handle, handle } = first as
      & net.ListenOptions
      & { fd?: unknown; _handle?: unknown; handle?: unknown };
    if (typeof fd === "number" || _handle || handle) return undefined;
    const asked = port === undefined || port === null
      ? askedPath(path)
      : askedPort(port, host);
    return asked &&
      { asked, callback, options: signal === undefined ? {} : { signal } };
  }
  const asked = typeof first === "string" && toPortNumber(first) === undefined
    ? askedPath(first)
    : askedPort(first, second);
  return asked && { asked, callback, options: {} };
}

/** Formats a call for messages. */
export function describeListen(asked: AskedAddress): string {
  return `listen(${"path" in asked ? quote(asked.path) : showAsked(asked)})`;
}
