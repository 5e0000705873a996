/**
 * Builds the npm package with dnt into `npm/package/`: ES modules and CommonJS,
 * each with declarations.
 *
 * dnt makes the ES modules and their declarations. Its CommonJS would be a second
 * copy of all code; `npm_files.ts` tells what there is in its place, and why.
 *
 * dnt is on JSR only, which not every machine reaches: so it is imported when
 * this is run, and is neither in `deno.json` nor in `deno.lock`.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { finishPackage } from "./npm_files.ts";
import {
  COMMAND,
  CONFIG,
  type NpmMetadata,
  npmMetadata,
} from "./npm_metadata.ts";
import { packageToolchain } from "./toolchain.ts";

/** What is used of dnt's options; it has more. */
interface BuildOptions {
  readonly entryPoints: readonly {
    readonly kind: "export" | "bin";
    readonly name: string;
    readonly path: string;
  }[];
  readonly outDir: string;
  readonly shims: Readonly<Record<string, never>>;
  readonly package: NpmMetadata & { readonly type: "module" };
  readonly test: boolean;
  readonly typeCheck: "both" | "single" | false;
  readonly declaration: "inline" | "separate" | false;
  readonly scriptModule: "cjs" | "umd" | false;
  readonly skipNpmInstall: boolean;
  readonly skipSourceOutput: boolean;
  readonly compilerOptions: {
    readonly target: string;
    readonly lib: readonly string[];
  };
}

/** What is used of dnt. */
interface Dnt {
  build(options: BuildOptions): Promise<void>;
  emptyDir(path: string): Promise<void>;
}

/** dnt; fixed, as a release is built with it. */
export const DNT = "jsr:@deno/dnt@0.43.2";

const ROOT = new URL("../", import.meta.url);

/**
 * Builds the package.
 *
 * @returns The directory that it is in.
 */
export async function buildNpm(): Promise<string> {
  const { build, emptyDir }: Dnt = await import(DNT);
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
    declaration: "inline",
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
  for (const name of ["README.md", "LICENSE", "CHANGELOG.md"]) {
    await Deno.copyFile(new URL(name, ROOT), join(outDir, name));
  }
  await finishPackage(outDir, await packageToolchain());
  return outDir;
}
