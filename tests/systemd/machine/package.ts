/** Programs in a machine that import the library by the name of its package. */

import fs from "node:fs";
import path from "node:path";
import type { Machine } from "./machine.ts";

/** The checkout in a machine. */
export const LIBRARY = "/opt/listenfds";

const ENTRY_POINTS = { ".": "mod.ts", "./notify": "src/notify.ts" };

/**
 * Writes a program into a machine, unchanged, with a package of the library's name
 * beside it. Deno finds the library in the configuration of the checkout.
 */
export function writeProgram(
  machine: Machine,
  program: string,
  text: string,
): void {
  const file = machine.file(program);
  const library = path.join(
    path.dirname(file),
    "node_modules/@listenfds/listenfds",
  );
  fs.mkdirSync(library, { recursive: true });
  fs.writeFileSync(file, text);
  const entries = Object.entries(ENTRY_POINTS).map(([name, source], index) => ({
    name,
    source,
    // Node doesn't run TypeScript that is in a package.
    module: `./${index}.js`,
  }));
  fs.writeFileSync(
    path.join(library, "package.json"),
    JSON.stringify({
      type: "module",
      exports: Object.fromEntries(
        entries.map(({ name, module }) => [name, module]),
      ),
    }),
  );
  for (const { module, source } of entries) {
    fs.writeFileSync(
      path.join(library, module),
      `export * from "${LIBRARY}/${source}";\n`,
    );
  }
}
