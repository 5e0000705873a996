/**
 * Parses unit files (`systemd.syntax(7)`) and specifiers in their values
 * (`systemd.unit(5)`).
 *
 * @module
 */

import { quote } from "../../../core/errors.ts";
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
const SPACE = /^[ \t\n\r]+|[ \t\n\r]+$/g;

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
  for (const { line, number } of logicalLines(text)) {
    const place = `${name}:${number}`;
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
    const key = line.slice(0, equals).replace(SPACE, "");
    const value = line.slice(equals + 1).replace(SPACE, "");
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
function logicalLines(text: string): { line: string; number: number }[] {
  const lines: { line: string; number: number }[] = [];
  let continued: { line: string; number: number } | undefined;
  for (const [index, physical] of text.split("\n").entries()) {
    const stripped = physical.replace(/\r$/, "").replace(/^[ \t\r]+/, "");
    // A comment may interrupt a continued line.
    if (/^[#;]/.test(stripped)) continue;
    const { line, number } = continued ?? { line: "", number: index + 1 };
    const joined = line + stripped;
    // A final backslash continues the line as a space, unless it is escaped.
    if (/\\*$/.exec(joined)![0].length % 2 === 1) {
      continued = { line: `${joined.slice(0, -1)} `, number };
      continue;
    }
    lines.push({ line: joined, number });
    continued = undefined;
  }
  if (continued !== undefined) lines.push(continued);
  return lines
    .map(({ line, number }) => ({ line: line.replace(SPACE, ""), number }))
    .filter(({ line }) => line !== "");
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
