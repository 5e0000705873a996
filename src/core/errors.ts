/**
 * What can go wrong with an activation, in one error class with stable codes.
 *
 * Text that doesn't parse is a `SyntaxError`, a number out of range a
 * `RangeError`, a wrong argument a `TypeError`: these are mistakes to mend, not
 * conditions to catch. {@linkcode ActivationError} is for the rest.
 *
 * @module
 */

/**
 * The condition behind an {@linkcode ActivationError}. Codes are stable: test
 * for the code, not for the message.
 *
 * - `names`: `LISTEN_FDNAMES` doesn't fit `LISTEN_FDS`
 * - `map`: the compatibility map doesn't name every descriptor exactly once
 * - `missing-name`: no descriptor has the name that was asked for
 * - `ambiguous-name`: one descriptor was asked for, several have the name
 * - `claimed`: the descriptors were claimed before
 * - `unclaimed`: descriptors are left that nobody claimed
 * - `wrong-kind`: the descriptor is of another kind than the use needs
 * - `expectation`: the descriptors are not what `expect` says
 * - `closed`: the descriptor is not open
 * - `address-mismatch`: the runtime listens somewhere else than the descriptor
 * - `activated`: asked to bind an address although sockets were handed over
 * - `not-activated`: asked for a name, but nothing was handed over
 * - `unsupported`: this version of the runtime can't do it
 * - `permission`: the runtime denied access
 * - `failed`: the operating system refused; see `cause`
 */
export type ActivationErrorCode =
  | "names"
  | "map"
  | "missing-name"
  | "ambiguous-name"
  | "claimed"
  | "unclaimed"
  | "wrong-kind"
  | "expectation"
  | "closed"
  | "address-mismatch"
  | "activated"
  | "not-activated"
  | "unsupported"
  | "permission"
  | "failed";

/**
 * A condition of socket activation that a program may want to handle.
 *
 * @example
 * ```ts
 * import { ActivationError, listen } from "@listenfds/listenfds";
 *
 * try {
 *   await using _admin = await listen("admin");
 * } catch (error) {
 *   if (!(error instanceof ActivationError)) throw error;
 *   console.error(error.code, error.message);
 * }
 * ```
 */
export class ActivationError extends Error {
  /** Which condition this is. */
  readonly code: ActivationErrorCode;

  /**
   * Makes an error.
   *
   * @param code Which condition this is.
   * @param message What was being done, what was found, and what to do.
   * @param options The error that caused this one, if any.
   */
  constructor(
    code: ActivationErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = "ActivationError";
    this.code = code;
  }
}

/** Longest stretch of a foreign string that a message repeats. */
const QUOTE_LIMIT = 80;

/**
 * Quotes a string for an error message: control characters, the invisible
 * ones that reorder text and lone surrogates are escaped, and what is too long
 * is cut, with its length.
 *
 * @param text Any string, trusted or not.
 * @returns The string in double quotes, on one line.
 */
export function quote(text: string): string {
  const shown = text.length > QUOTE_LIMIT ? text.slice(0, QUOTE_LIMIT) : text;
  const escaped = escapeUnprintable(JSON.stringify(shown));
  return text.length > QUOTE_LIMIT
    ? `${escaped}… (${text.length} characters)`
    : escaped;
}

/**
 * Escapes in JSON what JSON doesn't: the remaining control characters, and the
 * invisible ones that reorder text.
 *
 * @param json Any JSON.
 * @returns JSON that means the same.
 */
export function escapeUnprintable(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\udb40[\udc00-\udc7f]/g,
    (found) =>
      Array.from(
        { length: found.length },
        (_, at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, "0")}`,
      ).join(""),
  );
}

/**
 * Shows a value of the wrong form in an error message; not everything is JSON.
 *
 * @param value The value.
 * @returns Its text, quoted.
 */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return quote(value);
  const forms = [
    () => JSON.stringify(value) ?? String(value),
    () => String(value),
  ];
  for (const form of forms) {
    try {
      return quote(form());
    } catch {
      // It has no such form.
    }
  }
  return quote(Object.prototype.toString.call(value));
}

/** How many names a message lists before it only counts the rest. */
const LIST_LIMIT = 10;

/**
 * Lists names for an error message.
 *
 * @param names The names, trusted or not.
 * @returns The quoted names, separated by commas; `none` for an empty list.
 */
export function quoteAll(names: Iterable<string>): string {
  const all = [...names];
  if (all.length === 0) return "none";
  const shown = all.slice(0, LIST_LIMIT).map(quote).join(", ");
  const rest = all.length - LIST_LIMIT;
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}
