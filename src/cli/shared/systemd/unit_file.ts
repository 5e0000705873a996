/**
 * The syntax of systemd's unit files (`systemd.syntax(7)`), and specifiers in
 * their values (`systemd.unit(5)`).
 *
 * @module
 */

import { quote } from "../../../core/errors.ts";
import { UsageError } from "../verb.ts";

/** An assignment of a unit file. */
export interface Assignment {
  /** The section, such as `Socket`. */
  readonly section: string;
  /** The setting, such as `ListenStream`. */
  readonly key: string;
  /** What it is set to; empty to reset it. */
  readonly value: string;
  /** Where it is, such as `web.socket:3`. */
  readonly place: string;
}

/** White space, as systemd has it. */
const SPACE = /^[ \t\n\r]+|[ \t\n\r]+$/g;

/**
 * Reads a unit file.
 *
 * @param text The text.
 * @param name What messages call the file.
 * @returns The assignments in order. Sections and settings that begin with `X-`
 * are left out: systemd leaves them to others.
 * @throws {UsageError} If a line is neither a section, an assignment nor a
 * comment.
 */
export function parseUnitFile(text: string, name: string): Assignment[] {
  const assignments: Assignment[] = [];
  let section: string | undefined;
  for (const { line, number } of logicalLines(text)) {
    const place = `${name}:${number}`;
    if (line.startsWith("[")) {
      if (!/^\[[^\][]+\]$/.test(line)) {
        throw invalid(place, "a section, such as [Socket]", line);
      }
      section = line.slice(1, -1);
      continue;
    }
    const equals = line.indexOf("=");
    if (equals < 1) throw invalid(place, "SETTING=VALUE", line);
    if (section === undefined) {
      throw invalid(place, "a section in front of the first setting", line);
    }
    const key = line.slice(0, equals).replace(SPACE, "");
    const value = line.slice(equals + 1).replace(SPACE, "");
    if (section.startsWith("X-") || key.startsWith("X-")) continue;
    assignments.push({ section, key, value, place });
  }
  return assignments;
}

function invalid(place: string, expected: string, found: string): UsageError {
  return new UsageError(
    `Reading ${place}: expected ${expected}, found ${quote(found)}`,
  );
}

/** The lines without comments, with those that go on put together. */
function logicalLines(text: string): { line: string; number: number }[] {
  const lines: { line: string; number: number }[] = [];
  let begun: { line: string; number: number } | undefined;
  for (const [at, physical] of text.split("\n").entries()) {
    const stripped = physical.replace(/\r$/, "").replace(/^[ \t\r]+/, "");
    // Also in the middle of a line that goes on.
    if (/^[#;]/.test(stripped)) continue;
    const { line, number } = begun ?? { line: "", number: at + 1 };
    const whole = line + stripped;
    // An escaped backslash at the end is one; another stands for a space.
    if (/\\*$/.exec(whole)![0].length % 2 === 1) {
      begun = { line: `${whole.slice(0, -1)} `, number };
      continue;
    }
    lines.push({ line: whole, number });
    begun = undefined;
  }
  if (begun !== undefined) lines.push(begun);
  return lines
    .map(({ line, number }) => ({ line: line.replace(SPACE, ""), number }))
    .filter(({ line }) => line !== "");
}

/**
 * Puts in what specifiers stand for.
 *
 * @param value The value of a setting.
 * @param specifiers What each stands for, by its letter.
 * @param place Where it is.
 * @throws {UsageError} If there is another one.
 */
export function expandSpecifiers(
  value: string,
  specifiers: Readonly<Record<string, string>>,
  place: string,
): string {
  return value.replace(/%(.?)/gs, (found, letter: string) => {
    if (letter === "%") return "%";
    if (Object.hasOwn(specifiers, letter)) return specifiers[letter]!;
    throw new UsageError(
      `Reading ${place}: the specifier ${
        quote(found)
      } is not supported here: ` +
        `write what it stands for, or "%%" for a percent sign`,
    );
  });
}

/**
 * What specifiers that depend on a unit's name stand for.
 *
 * @param unit The name, such as `web@1.socket`.
 */
export function nameSpecifiers(unit: string): Record<string, string> {
  const bare = unit.slice(0, unit.lastIndexOf("."));
  const [prefix, instance = ""] = bare.split(/@(.*)/s) as [string, string?];
  return { n: unit, N: bare, p: prefix, i: instance };
}
