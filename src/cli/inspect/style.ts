/**
 * Text for terminals: colour, columns and line breaks.
 *
 * @module
 */

import { styleText } from "node:util";
import type { Io, Output } from "../shared/verb.ts";

/** A colour or an emphasis. */
export type TextFormat = "bold" | "dim" | "red" | "yellow" | "green";

/** Formats text, or returns it unchanged where colour is off. */
export type Style = (format: TextFormat, text: string) => string;

/**
 * Returns the style for a stream: colour on a terminal only, and neither with
 * `NO_COLOR` (https://no-color.org) nor with `TERM=dumb`.
 */
export function styleFor({ isTerminal }: Output, env: Io["env"]): Style {
  return isTerminal && !refusesColour(env)
    // The stream is checked here, because older runtimes don't in styleText().
    ? (format, text) => styleText(format, text, { validateStream: false })
    : (_, text) => text;
}

function refusesColour(env: Io["env"]): boolean {
  try {
    return (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
  } catch {
    // Deno denied access to the environment, so NO_COLOR may be set.
    return true;
  }
}

/** A cell of a table; the format applies to its text, not to its padding. */
export interface Cell {
  readonly text: string;
  readonly format?: TextFormat;
}

/** Width of a common terminal. */
const WIDTH = 80;

/**
 * Lays out rows in columns, which are padded for printable ASCII. The last cell
 * moves to its own line where the row would be too wide.
 */
export function columns(
  rows: readonly (readonly Cell[])[],
  style: Style,
): string[] {
  const show = ({ text, format }: Cell) =>
    format === undefined ? text : style(format, text);
  const widths = rows[0]!.slice(0, -1).map((_, column) =>
    Math.max(...rows.map((row) => row[column]!.text.length))
  );
  const width = widths.reduce((sum, width) => sum + width + 2, 0);
  return rows.flatMap((row) => {
    const last = row.at(-1)!;
    const start = row.slice(0, -1).map((cell, column) =>
      show(cell) + " ".repeat(widths[column]! - cell.text.length + 2)
    ).join("");
    return width + last.text.length <= WIDTH
      ? [(start + show(last)).trimEnd()]
      : [start.trimEnd(), `    ${show(last)}`];
  });
}

/** Breaks text between words; `indent` begins each line but the first. */
export function wrap(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = indent + word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
