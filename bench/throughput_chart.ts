/**
 * A bar chart of throughput.
 *
 * @module
 */

import { formatCount, median, type Summary } from "./throughput_report.ts";
import { WAYS } from "./throughput_ways.ts";

const WIDTH = 680;
const MARGIN = 20;
/** Where bars begin, and how long the longest is: their numbers stand behind. */
const BARS = { left: 160, length: 430 };
const BAR_HEIGHT = 18;
const ROW_HEIGHT = 24;
const HEADING_HEIGHT = 34;
const TITLE_HEIGHT = 44;

/** Told apart by their labels: the colours only repeat what those say. */
const STYLE = `
  svg { font: 13px system-ui, sans-serif; }
  .paper { fill: #ffffff; }
  text { fill: #24292f; }
  .title, .runtime { font-weight: 600; }
  .title { font-size: 15px; }
  .range { stroke: #24292f; }
  .own, .again { fill: #8c959f; }
  .adopted { fill: #0969da; }
  .preload { fill: #8250df; }
  .neutral { fill: #1a7f37; }
  .portable { fill: #bf8700; }
  .proxy { fill: #cf5a5a; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; }
    text { fill: #e6edf3; }
    .range { stroke: #e6edf3; }
    .own, .again { fill: #768390; }
    .adopted { fill: #4493f8; }
    .preload { fill: #ab7df8; }
    .neutral { fill: #3fb950; }
    .portable { fill: #d29922; }
    .proxy { fill: #e5726d; }
  }`;

/**
 * Draws how many requests a second each way answers on each runtime: the median
 * of the rounds, with a line from the least to the most.
 *
 * @param summary The figures.
 * @returns An SVG document, for light and dark pages.
 */
export function chart({ rows }: Summary): string {
  const most = Math.max(...rows.flatMap((row) => row.requestsPerSecond));
  const lengthOf = (count: number) => Math.round(count / most * BARS.length);
  const shapes: string[] = [];
  let y = MARGIN + TITLE_HEIGHT;
  for (const [runtime, group] of Map.groupBy(rows, (row) => row.runtime)) {
    shapes.push(text(MARGIN, y, runtime, "runtime"));
    y += HEADING_HEIGHT - ROW_HEIGHT;
    for (const { way, requestsPerSecond } of group) {
      const value = median(requestsPerSecond);
      const least = BARS.left + lengthOf(Math.min(...requestsPerSecond));
      const greatest = BARS.left + lengthOf(Math.max(...requestsPerSecond));
      const middle = y + BAR_HEIGHT / 2;
      shapes.push(
        text(MARGIN, middle + 5, WAYS[way]),
        `<rect class="${way}" x="${BARS.left}" y="${y}" ` +
          `width="${lengthOf(value)}" height="${BAR_HEIGHT}" rx="2" />`,
        `<path class="range" d="M${least} ${middle}H${greatest}" />`,
        text(greatest + 8, middle + 5, formatCount(value)),
      );
      y += ROW_HEIGHT;
    }
    y += HEADING_HEIGHT;
  }
  const height = y - HEADING_HEIGHT + MARGIN;
  const title = "Requests per second, the more the better";
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" ` +
    `width="${WIDTH}" height="${height}" role="img" aria-label="${title}">`,
    `<style>${STYLE}`,
    "</style>",
    `<rect class="paper" width="${WIDTH}" height="${height}" />`,
    text(MARGIN, MARGIN + 12, title, "title"),
    ...shapes,
    "</svg>",
    "",
  ].join("\n");
}

/** No text here has a character that XML would take for its own. */
function text(x: number, y: number, content: string, name?: string): string {
  const attribute = name === undefined ? "" : ` class="${name}"`;
  return `<text${attribute} x="${x}" y="${y}">${content}</text>`;
}
