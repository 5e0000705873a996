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
 * | Code | Condition | Setting to check |
 * | --- | --- | --- |
 * | `name-count` | `LISTEN_FDNAMES` has more or fewer names than `LISTEN_FDS` counts | none: the service manager alone sets the variables |
 * | `unmapped` | a descriptor's address matches no entry of the map, or several | `ListenStream=`, or the option `map` |
 * | `missing-name` | no descriptor has the requested name or number | `FileDescriptorName=` |
 * | `ambiguous-name` | several descriptors have the name, and the function takes one, or their kinds are unknown | `FileDescriptorName=` |
 * | `already-claimed` | the descriptors were claimed before | none: claim each name once |
 * | `unclaimed` | descriptors are still unclaimed | `Sockets=` |
 * | `wrong-kind` | no descriptor of the name has the kind that the function takes | `ListenStream=`, `ListenDatagram=`, `Accept=` |
 * | `unexpected-kinds` | the descriptors don't match the option `expect` | as the message says |
 * | `not-open` | the descriptor is not open | `ExecStart=`: start the program itself |
 * | `address-mismatch` | the listener's address isn't the descriptor's | none: use another version of the runtime |
 * | `bind-while-activated` | an address was to be bound, but the process is activated | `ListenStream=` and a name |
 * | `not-activated` | a name was requested, but the process isn't activated | start the socket unit, or set a fallback |
 * | `unsupported` | the runtime, its version or the system lacks the feature | none |
 * | `permission` | the runtime or the system denied a permission | the flag in the message |
 * | `system` | the operating system reported an error, see `errno` and `cause` | none |
 */
export type ActivationErrorCode =
  | "name-count"
  | "unmapped"
  | "missing-name"
  | "ambiguous-name"
  | "already-claimed"
  | "unclaimed"
  | "wrong-kind"
  | "unexpected-kinds"
  | "not-open"
  | "address-mismatch"
  | "bind-while-activated"
  | "not-activated"
  | "unsupported"
  | "permission"
  | "system";

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
   * The error number of the operating system, such as 98 for `EADDRINUSE`, where
   * the runtime reports it.
   */
  readonly errno: number | undefined;

  /**
   * Creates an error, whose message has the action, the problem and the remedy,
   * separated by colons.
   *
   * @internal
   * @ignore
   */
  constructor(
    code: ActivationErrorCode,
    message: string,
    options?: { cause?: unknown; errno?: number | undefined },
  ) {
    super(message, options);
    this.name = "ActivationError";
    this.code = code;
    this.errno = options?.errno;
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
    (match) => match.replace(/[^]/g, escapeUnit),
  );
}

/**
 * Returns plain words, paths and addresses unchanged, and quotes any other
 * foreign string.
 */
export function quoteUnlessPlain(text: string): string {
  return text.length <= QUOTE_LIMIT && /^[\w.,:@/[\]%+=~\\-]+$/.test(text)
    ? text
    : quote(text);
}

/**
 * Escapes control characters and invisible characters as {@linkcode quote} does,
 * so that text stays on one line and can't change a terminal.
 */
export function escapeControls(text: string): string {
  // deno-lint-ignore no-control-regex
  return escapeUnprintable(text.replace(/[\x00-\x1f]/g, escapeUnit));
}

/** Escapes a UTF-16 unit as JSON does. */
function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
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

/** Narrows a value to an object that is no array. */
export function isRecord(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Checks that options are an object.
 *
 * @param action The beginning of an error's message, such as `Listening on "web"`.
 * @param takesFunctions Whether they may be a function with members, as the
 * runtimes' own functions take it: a class with static members, say.
 */
export function requireOptions(
  options: unknown,
  action: string,
  takesFunctions: boolean = false,
): void {
  if (isRecord(options)) return;
  if (takesFunctions && typeof options === "function") return;
  throw new TypeError(
    `${action}: expected an object of options, found ` +
      describeValue(options),
  );
}

/**
 * Checks that a handler is a function.
 *
 * @param name The option that has the handler; by default, it is no option.
 */
export function requireHandler(
  handler: unknown,
  action: string,
  name?: string,
): void {
  if (typeof handler === "function") return;
  const expected = name === undefined
    ? "a handler function"
    : `the option ${name} to be a function`;
  throw new TypeError(
    `${action}: expected ${expected}, found ${typeof handler}`,
  );
}

/** Checks that an option is a boolean, if there is one. */
export function requireBooleanOption(
  value: unknown,
  name: string,
  action: string,
): void {
  if (value === undefined || typeof value === "boolean") return;
  throw new TypeError(
    `${action}: expected the option ${name} to be a boolean, found ` +
      describeValue(value),
  );
}

/** Checks that an option is an `AbortSignal`, if there is one. */
export function requireAbortSignal(signal: unknown, action: string): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw new TypeError(
    `${action}: expected the option signal to be an AbortSignal, found ` +
      typeof signal,
  );
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
