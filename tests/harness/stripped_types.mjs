/**
 * Loads TypeScript without its types from a cache, on Node 22: that version strips
 * the types of each file at every start, which takes longer than most tests. Later
 * ones keep the result beside the compiled code.
 *
 *     node --import=…/stripped_types.mjs main.ts       # loads from the cache
 *     node …/stripped_types.mjs fill mod.ts src tests  # fills the cache
 *
 * A file that the cache doesn't have is loaded as always.
 */

import fs from "node:fs";
import module from "node:module";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const DIRECTORY = fileURLToPath(
  new URL("../../.toolchain/stripped-types/", import.meta.url),
);

/** Returns the path in the cache, of a file as it is now. */
function cachedPath(file) {
  const { mtimeMs, size, ino } = fs.statSync(file);
  return path.join(DIRECTORY, [ino, mtimeMs, size].join("-"));
}

function readCached(url) {
  try {
    return fs.readFileSync(cachedPath(fileURLToPath(url)), "utf8");
  } catch {
    return undefined;
  }
}

function fill(roots) {
  fs.rmSync(DIRECTORY, { recursive: true, force: true });
  fs.mkdirSync(DIRECTORY, { recursive: true });
  const files = roots.flatMap((root) =>
    root.endsWith(".ts") ? [root] : fs.readdirSync(root, { recursive: true })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => path.join(root, name))
  );
  for (const file of files) {
    const text = fs.readFileSync(file, "utf8");
    fs.writeFileSync(cachedPath(file), module.stripTypeScriptTypes(text));
  }
}

if (process.argv[2] === "fill" && process.argv[1] === import.meta.filename) {
  fill(process.argv.slice(3));
} else {
  module.registerHooks({
    load(url, context, nextLoad) {
      const source = url.endsWith(".ts") ? readCached(url) : undefined;
      return source === undefined
        ? nextLoad(url, context)
        : { format: "module", source, shortCircuit: true };
    },
  });
}
