/**
 * Builds the npm package with dnt into `npm/package/`: ES modules and CommonJS,
 * each with declarations.
 *
 * dnt makes the ES modules, `deno pack` the declarations. The CommonJS of dnt
 * would be a second copy of all code; `npm_files.ts` has what is in its place,
 * and why.
 *
 * dnt is on JSR only, which is not reachable from every machine: so the import is
 * dynamic, which type checks and installations without JSR skip.
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { filesBelow, finishPackage } from "./npm_files.ts";
import { COMMAND, CONFIG, npmMetadata } from "./npm_metadata.ts";
import { unpackDenoPack } from "./pack.ts";
import { packageToolchain } from "./toolchain.ts";

const ROOT = new URL("../", import.meta.url);

/**
 * Builds the package.
 *
 * @returns The directory that it is in.
 */
export async function buildNpm(): Promise<string> {
  const { build, emptyDir } = await import("@deno/dnt");
  const outDir = fileURLToPath(new URL("npm/package", ROOT));
  await emptyDir(outDir);
  const entryPoints = Object.entries(CONFIG.exports).map(([name, path]) => ({
    kind: "export" as const,
    name,
    path: fileURLToPath(new URL(path, ROOT)),
  }));
  const command = fileURLToPath(new URL(COMMAND.path, ROOT));
  await build({
    entryPoints: [
      ...entryPoints,
      { kind: "bin", name: COMMAND.name, path: command },
    ],
    outDir,
    // None: `Deno` is to be Deno itself, or nothing.
    shims: {},
    package: { ...npmMetadata(), type: "module" },
    // `addDeclarations` adds them.
    declaration: false,
    scriptModule: false,
    // The sources are checked by `deno check`, the declarations by programs
    // that use them: here neither Deno's nor Bun's types are known.
    typeCheck: false,
    test: false,
    skipNpmInstall: true,
    skipSourceOutput: true,
    compilerOptions: {
      // As it is written, which all runtimes know: no polyfill is needed.
      target: "Latest",
      lib: ["ESNext", "DOM", "DOM.Iterable"],
    },
  });
  for (const name of ["README.md", "LICENSE"]) {
    await Deno.copyFile(new URL(name, ROOT), join(outDir, name));
  }
  await addDeclarations(join(outDir, "esm"));
  await finishPackage(outDir, await packageToolchain());
  return outDir;
}

/** Adds the declarations that `deno pack` makes. */
async function addDeclarations(outDir: string): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "listenfds-pack-" });
  try {
    const packed = await unpackDenoPack(directory);
    for (const file of await filesBelow(packed)) {
      if (!file.endsWith(".d.ts")) continue;
      await Deno.mkdir(dirname(join(outDir, file)), { recursive: true });
      await Deno.copyFile(join(packed, file), join(outDir, file));
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
