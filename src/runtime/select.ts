/**
 * Choosing between the runtime's own servers and the portable path.
 *
 * @module
 */

import { ActivationError, describeValue } from "../core/errors.ts";
import type { Made, Mode } from "../core/types.ts";
import type { Endpoint } from "./node/acceptor.ts";
import type { Backends } from "./backend.ts";
import { portable } from "./node/backend.ts";
import { type Runtime, supportsKind } from "./platform.ts";

/** What was opened, and how. */
export interface Chosen<T> extends Made {
  /** What was opened. */
  readonly opened: T;
}

/**
 * Checks the option `mode`.
 *
 * @param mode What was given.
 * @param doing What is being done, to begin an error's message with.
 * @returns The mode.
 */
export function readMode(mode: unknown, doing: string): Mode {
  switch (mode) {
    case undefined:
    case "auto":
      return "auto";
    case "native":
    case "portable":
      return mode;
    default:
      throw new TypeError(
        `${doing}: expected the option mode to be "auto", "native" or ` +
          `"portable", found ${describeValue(mode)}`,
      );
  }
}

/**
 * Opens something in the best way that there is, or in the one that is wanted.
 *
 * @param runtime The runtime.
 * @param endpoints Where.
 * @param mode What is wanted.
 * @param open Opens it; what fails has changed nothing.
 * @returns What was opened, how, and why so.
 */
export async function openBest<T>(
  runtime: Runtime,
  endpoints: readonly Endpoint[],
  mode: Mode,
  open: (backends: Backends) => Promise<T>,
): Promise<Chosen<T>> {
  const { native, title } = runtime;
  if (native === undefined) {
    return {
      opened: await open(portable),
      mode: mode === "portable" ? "portable" : "native",
      modeReason: `${title}'s own servers take descriptors`,
    };
  }
  const isInherited = endpoints.some((each) => "descriptor" in each);
  let modeReason = "The program asked for it";
  if (mode !== "portable") {
    try {
      return {
        opened: await open(await native()),
        mode: "native",
        modeReason: isInherited
          ? `${title}'s own listener was put onto the inherited socket`
          : `${title}'s own listener was bound to the fallback address`,
      };
    } catch (error) {
      if (mode === "native" || !mayGoOn(error)) throw error;
      // An old version has no other way: its error is the one to mend.
      if (isInherited && !supportsKind(runtime, "stream-listener")) throw error;
      modeReason = error.message;
    }
  }
  return { opened: await open(portable), mode: "portable", modeReason };
}

/** Whether an error leaves the sockets to another way. */
function mayGoOn(error: unknown): error is ActivationError {
  return error instanceof ActivationError &&
    ["unsupported", "permission", "failed"].includes(error.code);
}
