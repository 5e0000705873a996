/**
 * Colour on a terminal, and text in columns.
 *
 * @module
 */

import type { Io, Output } from "./verb.ts";

/** Ways to set text off. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly green: (text: string) => string;
}

const sgr = (on: number, off: number) => (text: string) =>
  `\x1b[${on}m${text}\x1b[${off}m`;

const COLOUR: Style = {
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  red: sgr(31, 39),
  yellow: sgr(33, 39),
  green: sgr(32, 39),
};

const same = (text: string) => text;
const PLAIN: Style = {
  bold: same,
  dim: same,
  red: same,
  yellow: same,
  green: same,
};

/**
 * The style for a stream: colour on a terminal only, and not where `NO_COLOR` is
 * set and not empty (https://no-color.org), or the terminal has none.
 */
export function styleFor({ isTerminal }: Output, env: Io["env"]): Style {
  return isTerminal && !refusesColour(env) ? COLOUR : PLAIN;
}

function refusesColour(env: Io["env"]): boolean {
  try {
    return (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
  } catch {
    // Deno denies access: it could be set.
    return true;
  }
}

/** A cell of a table: its text, and what is to be done to it when it is padded. */
export interface Cell {
  readonly text: string;
  readonly style?: (text: string) => string;
}

/** The width of a terminal that text is made for. */
const WIDTH = 80;

/**
 * Lays text out in columns. The last one is not padded, and stands on a line of
 * its own where the row would be too wide.
 *
 * @param rows The rows, all with the same number of cells: one line of printable
 * ASCII each, but the last.
 * @returns The lines.
 */
export function columns(rows: readonly (readonly Cell[])[]): string[] {
  const widths = rows[0]!.slice(0, -1).map((_, at) =>
    Math.max(...rows.map((row) => row[at]!.text.length))
  );
  return rows.flatMap((row) => {
    const last = row.at(-1)!;
    const before = row.slice(0, -1).map(({ text, style = same }, at) =>
      style(text) + " ".repeat(widths[at]! - text.length + 2)
    ).join("");
    const width = widths.reduce((sum, each) => sum + each + 2, 0);
    const shown = (last.style ?? same)(last.text);
    return width + last.text.length <= WIDTH
      ? [(before + shown).trimEnd()]
      : [before.trimEnd(), `    ${shown}`];
  });
}

/**
 * Breaks text between its words.
 *
 * @param text The text.
 * @param indent What each line but the first begins with.
 * @returns The lines; only a word that is longer than a line makes one too wide.
 */
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
