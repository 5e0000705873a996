/** The documents, whose units and programs tests run as they stand. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { ROOT } from "./hosts.ts";

/**
 * Returns the blocks of code under a heading of a document.
 *
 * @param file The path in the checkout, such as `docs/notify.md`.
 * @param heading The text of the heading; by default the introduction, which comes
 * before the first one.
 * @param language The language of the blocks, such as `ini`.
 */
export function readBlocks(
  file: string,
  language: string,
  heading?: string,
): string[] {
  const text = fs.readFileSync(path.join(ROOT, file), "utf8");
  const [, section] = heading === undefined
    ? [, text]
    : text.split(`\n## ${heading}\n`);
  const blocks = (section ?? "").split("\n## ")[0]!
    .split(`\n\`\`\`${language}\n`).slice(1)
    .map((block) => block.split("\n```")[0]! + "\n");
  assert.notEqual(blocks.length, 0, `${file} has no such block: ${heading}`);
  return blocks;
}
