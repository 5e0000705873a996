/**
 * The error class of the library, and safe formatting of values in messages.
 *
 * {@linkcode ActivationError} is for conditions that a program may catch.
 * Mistakes to fix are a `SyntaxError` (malformed text), a `RangeError` (a number
 * out of range) or a `TypeError` (a wrong argument).
 *
 * @module
 */

/**
 * The condition that an {@linkcode ActivationError} reports. Codes are stable,
 * messages are not: compare the code.
 *
 * - `names`: `LISTEN_FDNAMES` has more or fewer names than `LISTEN_FDS` counts
 * - `map`: a descriptor's address matches no entry of the map, or several
 * - `missing-name`: no descriptor has the requested name or number
 * - `ambiguous-name`: several descriptors have the name, and only one is usable
 * - `claimed`: the descriptors were claimed before
 * - `unclaimed`: descriptors are still unclaimed
 * - `wrong-kind`: the descriptor's kind doesn't fit the function
 * - `expectation`: the descriptors don't match the option `expect`
 * - `closed`: the descriptor is not open
 * - `address-mismatch`: the listener's address isn't the descriptor's
 * - `activated`: an address was to be bound, but the process is activated
 * - `not-activated`: a name was requested, but the process isn't activated
 * - `unsupported`: the runtime, its version or the system lacks the feature
 * - `permission`: the runtime denied a permission
 * - `failed`: the operating system reported an error; see `cause`
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
 * A condition of socket activation that a program may catch.
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
  /** The condition, stable across versions. */
  readonly code: ActivationErrorCode;

  /**
   * Creates an error.
   *
   * @param code The condition.
   * @param message The action, the problem and the remedy, separated by colons.
   * @param options The underlying error as `cause`, if any.
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

/** The number of UTF-16 units that a message repeats of a foreign string. */
const QUOTE_LIMIT = 80;

/**
 * Quotes a foreign string for a message, on one line. Escapes control characters,
 * invisible characters and lone surrogates. Cuts a long string and appends its
 * length.
 */
export function quote(text: string): string {
  const escaped = escapeUnprintable(JSON.stringify(text.slice(0, QUOTE_LIMIT)));
  return text.length > QUOTE_LIMIT
    ? `${escaped}… (${text.length} characters)`
    : escaped;
}

/**
 * Escapes the characters that `JSON.stringify()` leaves although they garble a
 * terminal: further control characters, and invisible ones that reorder text.
 * The result is equivalent JSON.
 */
export function escapeUnprintable(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\udb40[\udc00-\udc7f]/g,
    (match) =>
      Array.from(
        { length: match.length },
        (_, index) =>
          `\\u${match.charCodeAt(index).toString(16).padStart(4, "0")}`,
      ).join(""),
  );
}

/** Quotes an invalid value of any type for a message, as JSON if possible. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return quote(value);
  const formats = [
    () => JSON.stringify(value) ?? String(value),
    () => String(value),
  ];
  for (const format of formats) {
    try {
      return quote(format());
    } catch {
      // The value can't be converted: a bigint to JSON, a null prototype to text.
    }
  }
  return quote(Object.prototype.toString.call(value));
}

/** The number of names that a message lists; it counts the others. */
const LIST_LIMIT = 10;

/** Quotes names for a message, separated by commas; `none` for an empty list. */
export function quoteAll(names: Iterable<string>): string {
  const all = [...names];
  if (all.length === 0) return "none";
  const shown = all.slice(0, LIST_LIMIT).map(quote).join(", ");
  const rest = all.length - LIST_LIMIT;
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}
