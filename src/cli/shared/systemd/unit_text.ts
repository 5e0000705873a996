/**
 * Escapes text for unit files so that systemd reads it unchanged: see "Command
 * lines" in `systemd.service(5)` and "Quoting" in `systemd.syntax(7)`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { quote } from "../../../core/errors.ts";
import { UsageError } from "../verb.ts";
import { MAX_LINE_BYTES } from "./unit_file.ts";

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
    // Characters that would end the quotes or the line, or garble a terminal.
    /["\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
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
          return escapeForSystemd(character);
      }
    },
  );
  return `"${escaped}"`;
}

/** Escapes a character as `cunescape_one()` of systemd reads it. */
function escapeForSystemd(character: string): string {
  const code = character.codePointAt(0)!;
  const hex = code.toString(16);
  if (code < 0x80) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff
    ? `\\u${hex.padStart(4, "0")}`
    : `\\U${hex.padStart(8, "0")}`;
}

/**
 * Formats a value that can't be quoted: a path, a description, a name.
 *
 * @param noun Name of the value in an error's message.
 * @throws {UsageError} If the text has characters that would need quotes.
 */
export function plainValue(text: string, noun: string): string {
  requireText(text, noun);
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)) {
    throw unwritable(noun, text, "has control characters or invisible ones");
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

/**
 * Refuses NUL bytes, which no argument can hold, and what systemd's
 * `unichar_is_valid()` refuses: lone surrogates and noncharacters.
 */
function requireText(text: string, noun: string): void {
  if (text.includes("\0")) throw unwritable(noun, text, "has a NUL byte");
  if (/\p{Surrogate}/u.test(text)) {
    throw unwritable(noun, text, "is not well-formed");
  }
  if (/\p{Noncharacter_Code_Point}/u.test(text)) {
    throw unwritable(noun, text, "has a noncharacter, which systemd refuses");
  }
}

/** Limits of systemd for a path and a name in it, in bytes. */
const MAX_UNIT_PATH_BYTES = 4095;
const MAX_NAME_BYTES = 255;

/**
 * Formats an absolute path as {@linkcode plainValue} does.
 *
 * @throws {UsageError} If systemd refuses the path.
 */
export function pathValue(path: string, noun: string): string {
  const isTooLong = Buffer.byteLength(path) > MAX_UNIT_PATH_BYTES ||
    path.split("/").some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES);
  if (isTooLong) throw unwritable(noun, path, "is too long for a path");
  return plainValue(path, noun);
}

/** Throws a {@linkcode UsageError} for a line that systemd refuses. */
export function requireShortLines(text: string, unit: string): void {
  for (const line of text.split("\n")) {
    if (Buffer.byteLength(line) <= MAX_LINE_BYTES) continue;
    throw new UsageError(
      `Writing the unit ${quote(unit)}: expected lines of at most ` +
        `${MAX_LINE_BYTES} bytes, found ${quote(line)}: use fewer or shorter ` +
        `arguments`,
    );
  }
}

function unwritable(noun: string, text: string, problem: string): UsageError {
  return new UsageError(
    `Writing the ${noun} ${quote(text)} into a unit: it ${problem}: ` +
      `use another ${noun}`,
  );
}
