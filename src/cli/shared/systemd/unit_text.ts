/**
 * Escapes text for unit files so that systemd reads it unchanged: see "Command
 * lines" in `systemd.service(5)` and "Quoting" in `systemd.syntax(7)`.
 *
 * @module
 */

import { quote } from "../../../core/errors.ts";
import { UsageError } from "../verb.ts";

/** Words that need no quotes. */
const BARE = /^[A-Za-z0-9_/.,:=@+-]+$/;

/** Formats an absolute path and its arguments as the value of `ExecStart=`. */
export function commandLine(words: readonly string[]): string {
  const [program, ...args] = words;
  // deno-lint-ignore no-control-regex
  if (/["'\\\x01-\x1f\x7f]/.test(program!)) {
    throw unwritable(
      "program",
      program!,
      "has quotes, backslashes or control characters, which systemd refuses",
    );
  }
  return [
    // systemd expands variables in arguments, but not in the program's path.
    quoteWord(escapeSpecifiers(program!)),
    ...args.map((word) =>
      quoteWord(escapeSpecifiers(word).replaceAll("$", "$$$$"))
    ),
  ].join(" ");
}

/** Formats `NAME=VALUE` as a word of `Environment=`. */
export function environmentWord(text: string): string {
  return quoteWord(text);
}

/** Escapes percent signs, which begin a specifier such as `%n`. */
function escapeSpecifiers(text: string): string {
  return text.replaceAll("%", "%%");
}

function quoteWord(word: string): string {
  requireText(word, "argument");
  if (BARE.test(word)) return word;
  const escaped = word.replace(
    // Characters that would end the quotes or the line.
    // deno-lint-ignore no-control-regex
    /["\\\x01-\x1f\x7f]/g,
    (character) => {
      switch (character) {
        case '"':
        case "\\":
          return `\\${character}`;
        case "\n":
          return "\\n";
        case "\t":
          return "\\t";
        default:
          return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
      }
    },
  );
  return `"${escaped}"`;
}

/**
 * Formats a value that can't be quoted: a path, a description, a name.
 *
 * @param noun Name of the value in an error's message.
 * @throws {UsageError} If the text has characters that would need quotes.
 */
export function plainValue(text: string, noun: string): string {
  requireText(text, noun);
  // deno-lint-ignore no-control-regex
  if (/[\x01-\x1f\x7f]/.test(text)) {
    throw unwritable(noun, text, "has control characters");
  }
  // systemd trims white space, and a final backslash continues the line.
  if (text.trim() !== text || text === "") {
    throw unwritable(
      noun,
      text,
      "is empty, or begins or ends with white space",
    );
  }
  if (text.endsWith("\\")) {
    throw unwritable(noun, text, "ends with a backslash");
  }
  return escapeSpecifiers(text);
}

/** Refuses NUL bytes, which no argument can hold, and lone surrogates. */
function requireText(text: string, noun: string): void {
  if (text.includes("\0")) throw unwritable(noun, text, "has a NUL byte");
  if (/\p{Surrogate}/u.test(text)) {
    throw unwritable(noun, text, "is not well-formed");
  }
}

function unwritable(noun: string, text: string, problem: string): UsageError {
  return new UsageError(
    `Writing the ${noun} ${quote(text)} into a unit: it ${problem}: ` +
      `use another ${noun}`,
  );
}
