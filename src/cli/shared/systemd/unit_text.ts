/**
 * How text is written into units, so that systemd reads the same: see "Command
 * lines" and "Quoting" in `systemd.service(5)` and `systemd.syntax(7)`.
 *
 * @module
 */

import { quote } from "../../../core/errors.ts";
import { UsageError } from "../verb.ts";

/** Words that mean themselves, unquoted. */
const BARE = /^[A-Za-z0-9_/.,:=@+-]+$/;

/**
 * Writes a command line.
 *
 * @param words The program's absolute path, and its arguments.
 * @returns The value of `ExecStart=`.
 * @throws {UsageError} If a word can't be written.
 */
export function commandLine(words: readonly string[]): string {
  const [program, ...args] = words;
  // deno-lint-ignore no-control-regex
  if (/["'\\\x01-\x1f\x7f]/.test(program!)) {
    throw refused(
      "program",
      program!,
      "has quotes, backslashes or control characters, and systemd starts no " +
        "such program",
    );
  }
  return [
    // Nothing is put in the place of a dollar sign in the program's path.
    quoteWord(escapeSpecifiers(program!)),
    ...args.map((word) =>
      quoteWord(escapeSpecifiers(word).replaceAll("$", "$$$$"))
    ),
  ].join(" ");
}

/** Writes `NAME=VALUE` as a word of `Environment=`. */
export function environmentWord(text: string): string {
  return quoteWord(text);
}

/** A percent sign begins a specifier, such as `%n`. */
function escapeSpecifiers(text: string): string {
  return text.replaceAll("%", "%%");
}

function quoteWord(word: string): string {
  requireText(word, "argument");
  if (BARE.test(word)) return word;
  const escaped = word.replace(
    // What would end the quotes, and what a file of lines can't hold.
    // deno-lint-ignore no-control-regex
    /["\\\x01-\x1f\x7f]/g,
    (found) => {
      switch (found) {
        case '"':
        case "\\":
          return `\\${found}`;
        case "\n":
          return "\\n";
        case "\t":
          return "\\t";
        default:
          return `\\x${found.charCodeAt(0).toString(16).padStart(2, "0")}`;
      }
    },
  );
  return `"${escaped}"`;
}

/**
 * Writes a value that systemd takes as it is, but for specifiers: a path, a
 * description, a name.
 *
 * @param text The value.
 * @param what What it is, for an error's message.
 * @returns The value as it is to be written.
 * @throws {UsageError} If it can't be written: there are no quotes here.
 */
export function plainValue(text: string, what: string): string {
  requireText(text, what);
  // deno-lint-ignore no-control-regex
  if (/[\x01-\x1f\x7f]/.test(text)) {
    throw refused(what, text, "has control characters");
  }
  // White space at the ends is cut off, and a last backslash joins two lines.
  if (text.trim() !== text || text === "") {
    throw refused(what, text, "is empty, or begins or ends with white space");
  }
  if (text.endsWith("\\")) throw refused(what, text, "ends with a backslash");
  return escapeSpecifiers(text);
}

/** No NUL byte is in an argument, and no half of a character is UTF-8. */
function requireText(text: string, what: string): void {
  if (text.includes("\0")) throw refused(what, text, "has a NUL byte");
  if (/\p{Surrogate}/u.test(text)) {
    throw refused(what, text, "is not well-formed");
  }
}

function refused(what: string, text: string, why: string): UsageError {
  return new UsageError(
    `Writing the ${what} ${
      quote(text)
    } into a unit: it ${why}: use another one`,
  );
}
