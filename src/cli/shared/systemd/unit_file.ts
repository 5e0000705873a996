/**
 * Parses unit files (`systemd.syntax(7)`) and specifiers in their values
 * (`systemd.unit(5)`).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { quote, quoteUnlessPlain } from "../../../core/errors.ts";
import { UsageError } from "../verb.ts";

/** A line `SETTING=VALUE` of a unit file. */
export interface Assignment {
  /** Section, such as `Socket`. */
  readonly section: string;
  /** Setting, such as `ListenStream`. */
  readonly key: string;
  /** Value; empty to reset the setting. */
  readonly value: string;
  /** File and line, such as `web.socket:3`. */
  readonly place: string;
}

/** systemd's white space (`WHITESPACE` in string-util.h). */
const SPACE = " \t\n\r";

/** Limit of a line in bytes (`LONG_LINE_MAX`), continuation lines included. */
export const MAX_LINE_BYTES: number = 1024 * 1024;

/**
 * Parses a unit file; `name` is its name in messages.
 *
 * Sections and settings that begin with `X-` are left out, because systemd
 * ignores them.
 *
 * @throws {UsageError} If a line isn't a section, an assignment or a comment.
 */
export function parseUnitFile(text: string, name: string): Assignment[] {
  const assignments: Assignment[] = [];
  let section: string | undefined;
  for (const { line, place } of logicalLines(text, quoteUnlessPlain(name))) {
    if (line.startsWith("[")) {
      if (!/^\[[^\][]+\]$/.test(line)) {
        throw invalidLine(place, "a section, such as [Socket]", line);
      }
      section = line.slice(1, -1);
      continue;
    }
    const equals = line.indexOf("=");
    if (equals < 1) throw invalidLine(place, "SETTING=VALUE", line);
    if (section === undefined) {
      throw invalidLine(place, "a section before the first setting", line);
    }
    const key = trimSpace(line.slice(0, equals));
    const value = trimSpace(line.slice(equals + 1));
    if (section.startsWith("X-") || key.startsWith("X-")) continue;
    assignments.push({ section, key, value, place });
  }
  return assignments;
}

function invalidLine(
  place: string,
  expected: string,
  line: string,
): UsageError {
  return new UsageError(
    `Reading ${place}: expected ${expected}, found ${quote(line)}`,
  );
}

/** Removes comments and joins continued lines. */
function* logicalLines(
  text: string,
  name: string,
): Generator<{ line: string; place: string }> {
  let start = "";
  let parts: string[] = [];
  let bytes = 0;
  const physicalLines = text.split("\n");
  for (let index = 0; index < physicalLines.length; index++) {
    const physical = physicalLines[index]!;
    const stripped = trimSpace(physical);
    // A comment may interrupt a continued line.
    if (stripped.startsWith("#") || stripped.startsWith(";")) continue;
    if (stripped === "" && parts.length === 0) continue;
    if (parts.length === 0) start = `${name}:${index + 1}`;
    bytes += Buffer.byteLength(physical);
    if (bytes > MAX_LINE_BYTES) {
      throw new UsageError(
        `Reading ${start}: expected a line of at most ${MAX_LINE_BYTES} bytes ` +
          `with its continuation lines, as systemd does: write a shorter line`,
      );
    }
    // A final backslash continues the line as a space, unless it is escaped.
    const line = physical.endsWith("\r") ? physical.slice(0, -1) : physical;
    if (countFinalBackslashes(line) % 2 === 1) {
      parts.push(line.slice(0, -1));
      continue;
    }
    bytes = 0;
    if (parts.length === 0) {
      yield { line: stripped, place: start };
      continue;
    }
    parts.push(line);
    yield* joined(parts, start);
    parts = [];
  }
  yield* joined(parts, start);
}

function joined(
  parts: readonly string[],
  place: string,
): { line: string; place: string }[] {
  const all = parts.map((part) => part.replace(/^[ \t\r]+/, "")).join(" ");
  const line = trimSpace(all);
  return line === "" ? [] : [{ line, place }];
}

function countFinalBackslashes(text: string): number {
  let start = text.length;
  while (text[start - 1] === "\\") start--;
  return text.length - start;
}

/** Removes white space at both ends, in linear time. */
function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && SPACE.includes(text[start]!)) start++;
  while (end > start && SPACE.includes(text[end - 1]!)) end--;
  return text.slice(start, end);
}

/**
 * Replaces specifiers such as `%t` by their values.
 *
 * @throws {UsageError} If a specifier isn't in `specifiers`.
 */
export function expandSpecifiers(
  value: string,
  specifiers: Readonly<Record<string, string>>,
  place: string,
): string {
  return value.replace(/%(.?)/gs, (specifier, letter: string) => {
    if (letter === "%") return "%";
    if (Object.hasOwn(specifiers, letter)) return specifiers[letter]!;
    throw new UsageError(
      `Reading ${place}: the specifier ${
        quote(specifier)
      } is not supported here: ` +
        `write its value, or "%%" for a percent sign`,
    );
  });
}

/** Returns the specifiers for a unit's name, such as `web@1.socket`. */
export function nameSpecifiers(unit: string): Record<string, string> {
  const bare = unit.slice(0, unit.lastIndexOf("."));
  const [prefix, instance = ""] = bare.split(/@(.*)/s) as [string, string?];
  return { n: unit, N: bare, p: prefix, i: instance };
}

/** Creates the error for an invalid value of a setting. */
export function invalidValue(
  { key, value, place }: Assignment,
  expected: string,
): UsageError {
  return new UsageError(
    `Reading ${place}: expected ${key}= to be ${expected}, found ` +
      quote(value),
  );
}
