/**
 * The settings of the preload: variables of the environment, because the program
 * knows nothing of it.
 *
 * @module
 */

import { ActivationError, quote } from "../core/errors.ts";
import { parseSeconds } from "../core/systemd/time_span.ts";
import { type EndSettings, readEndOptions } from "../shutdown/options.ts";
import { type NamedAddress, parseListenfdsMap } from "./listenfds_map.ts";

/** The settings, with their defaults. */
export interface PreloadSettings {
  readonly entries: readonly NamedAddress[];
  /** Whether a call that no rule gives a socket binds its address. */
  readonly bindsUnmatched: boolean;
  readonly end: EndSettings;
  /** Whether each call is reported with the sockets that it takes. */
  readonly isVerbose: boolean;
}

/** The names of the variables. */
export const SETTING_NAMES = [
  "LISTENFDS_MAP",
  "LISTENFDS_UNMATCHED",
  "LISTENFDS_SHUTDOWN_TIMEOUT",
  "LISTENFDS_IDLE_TIMEOUT",
  "LISTENFDS_DEBUG",
] as const;

/**
 * Reads the settings.
 *
 * @param readVariable Reads a variable; throws where that is forbidden.
 * @throws {SyntaxError | RangeError} If a variable has another form.
 * @throws {ActivationError} With the code `permission` if one can't be read.
 */
export function readSettings(
  readVariable: (name: string) => string | undefined,
): PreloadSettings {
  const read = (name: typeof SETTING_NAMES[number]) => {
    try {
      return readVariable(name);
    } catch (cause) {
      throw new ActivationError(
        "permission",
        `Reading ${name}: missing permission: run with ` +
          `--allow-env=${SETTING_NAMES.join()}`,
        { cause },
      );
    }
  };
  const timeout = readTime(
    "LISTENFDS_SHUTDOWN_TIMEOUT",
    read("LISTENFDS_SHUTDOWN_TIMEOUT"),
  );
  const idle = read("LISTENFDS_IDLE_TIMEOUT");
  const exitWhenIdle = idle === "off"
    ? undefined
    : readTime("LISTENFDS_IDLE_TIMEOUT", idle);
  return {
    entries: parseListenfdsMap(read("LISTENFDS_MAP") ?? ""),
    bindsUnmatched: readChoice(
      "LISTENFDS_UNMATCHED",
      read("LISTENFDS_UNMATCHED"),
      ["error", "bind"],
    ) === "bind",
    end: {
      ...readEndOptions({
        gracefulShutdown: { ...timeout !== undefined && { timeout } },
        ...exitWhenIdle !== undefined && { exitWhenIdle },
      }, "Reading the settings of the preload"),
      // The preload listens for the signals itself.
      isGraceful: false,
    },
    isVerbose:
      readChoice("LISTENFDS_DEBUG", read("LISTENFDS_DEBUG"), ["0", "1"]) ===
        "1",
  };
}

/** Reads a time span as milliseconds; `undefined` if it isn't set. */
function readTime(name: string, value: string | undefined): number | undefined {
  if (value === undefined || value === "") return undefined;
  const seconds = parseSeconds(value.trim());
  if (seconds !== undefined) return seconds * 1000;
  throw new SyntaxError(
    `Reading ${name}: expected a time such as 30, 30s or 5min, found ${
      quote(value)
    }`,
  );
}

/** Reads one of some values; the first is the default. */
function readChoice(
  name: string,
  value: string | undefined,
  choices: readonly [string, ...string[]],
): string {
  if (value === undefined || value === "") return choices[0];
  if (choices.includes(value)) return value;
  throw new SyntaxError(
    `Reading ${name}: expected ${choices.map(quote).join(" or ")}, found ${
      quote(value)
    }`,
  );
}
