/**
 * Joins the modules of a built npm package to few files, and leaves the code
 * readable: functions and classes keep their names, which stacks show.
 *
 * Rollup does it, because its `manualChunks` decides which modules share a file.
 * esbuild has no such option: it creates a file for each set of entry points that
 * modules have in common, more than twice as many. It also renames classes that
 * have a static block or use themselves, to `_Name`. Rollup's native part is an
 * optional dependency in the npm registry, so no install script has to run.
 *
 * @module
 */

import { createRequire } from "node:module";
import { join, relative } from "node:path";
import type TypeScript from "typescript";

/** An entry point. */
export interface Entry {
  /** The key in `exports`, or the name of the command. */
  readonly name: string;
  /** The path of the ES module in the package. */
  readonly path: string;
}

/** A file of Rollup's output. */
interface Chunk {
  readonly name: string;
  /** The entry point, or the module that is imported later. */
  readonly facadeModuleId: string | null;
  /** Modules, after those that they import. */
  readonly moduleIds: readonly string[];
}

/** Reads a module of Rollup's graph. */
type GetModuleInfo = (id: string) => {
  readonly importedIds: readonly string[];
};

/** The part of Rollup's interface that is used here. */
interface Rollup {
  rollup(options: {
    readonly input: readonly string[];
    readonly external: (specifier: string) => boolean;
    readonly onwarn: (warning: Error) => never;
    readonly plugins: readonly {
      readonly name: string;
      readonly renderChunk: (code: string) => string;
    }[];
  }): Promise<{
    write(options: {
      readonly dir: string;
      readonly format: "es";
      readonly banner: (chunk: Chunk) => string;
      readonly entryFileNames: (chunk: Chunk) => string;
      readonly chunkFileNames: (chunk: Chunk) => string;
      readonly manualChunks: (
        id: string,
        graph: { readonly getModuleInfo: GetModuleInfo },
      ) => string | undefined;
      readonly onlyExplicitManualChunks: boolean;
      readonly minifyInternalExports: boolean;
      readonly hoistTransitiveImports: boolean;
    }): Promise<unknown>;
    close(): Promise<void>;
  }>;
}

const GROUPS = [
  "core",
  "library",
  "native",
  "neutral",
  "deno",
  "bun",
  "node",
] as const;

type Group = typeof GROUPS[number];

/** Options of {@linkcode joinModules}. */
interface JoinOptions {
  /** The directory that Rollup is in. */
  readonly tools: string;
  /** The directory to write into. */
  readonly output: string;
  /** The directory of the sources in the package. */
  readonly base: string;
  /** Returns the comment at the top of a file, from the paths of its modules. */
  readonly banner: (modules: readonly string[]) => string;
}

/**
 * Joins modules, and writes the files at the paths that they have in the
 * package.
 *
 * @param directory The package, with a file for each module.
 * @param entries The entry points.
 * @param options Where to write, and how.
 */
export async function joinModules(
  directory: string,
  entries: readonly Entry[],
  { tools, output, base, banner }: JoinOptions,
): Promise<void> {
  const { rollup }: Rollup = createRequire(tools)("rollup");
  const pathOf = (id: string) => relative(directory, id);
  const users = entries.map(({ name, path }) => ({
    name,
    id: join(directory, path),
  }));
  const bundle = await rollup({
    input: users.map(({ id }) => id),
    external: (specifier) => !/^[./]/.test(specifier),
    onwarn: (warning) => {
      throw new Error(`Joining the modules with Rollup: ${warning.message}`);
    },
    plugins: [{
      name: "shorten",
      renderChunk: (code) => shorten(code, tools),
    }],
  });
  let groups: ReadonlyMap<string, Group> | undefined;
  await bundle.write({
    dir: output,
    format: "es",
    banner: ({ moduleIds }) => {
      const isCommand = moduleIds.some((id) => id.includes(COMMAND_DIRECTORY));
      const text = banner(moduleIds.map(pathOf));
      return isCommand ? text : `${BUN_PRAGMA}\n${text}`;
    },
    entryFileNames: ({ facadeModuleId }) => pathOf(facadeModuleId!),
    chunkFileNames: ({ name, facadeModuleId, moduleIds }) =>
      (GROUPS as readonly string[]).includes(name)
        ? join(base, "src/shared", `${name}.js`)
        : pathOf(facadeModuleId ?? moduleIds.at(-1)!),
    manualChunks: (id, { getModuleInfo }) => {
      groups ??= groupModules(users, getModuleInfo);
      return groups.get(id);
    },
    onlyExplicitManualChunks: true,
    minifyInternalExports: false,
    hoistTransitiveImports: false,
  });
  await bundle.close();
}

/**
 * Makes Bun take a file as it is. Otherwise Bun compiles each file anew at each
 * start, for as long as it takes to start without the package: it keeps the
 * results only of large files, and only where the user's home can be written to,
 * which services are often denied.
 */
const BUN_PRAGMA = "// @bun";

const COMMAND_DIRECTORY = "/src/cli/";

/**
 * Leaves out what a runtime reads at each start for nothing: comments, a third of
 * the code, but for the first, which names the modules. The declarations have those
 * that document. Other characters than those of ASCII become escapes: with a
 * single one, a runtime takes two bytes for each character of the file.
 */
function shorten(code: string, tools: string): string {
  const end = code.indexOf("*/") + "*/".length;
  const { ModuleKind, ScriptTarget, transpileModule }: typeof TypeScript =
    createRequire(tools)("typescript");
  const { outputText, diagnostics } = transpileModule(code.slice(end), {
    // As JavaScript, where `a<b>(c)` has two comparisons.
    fileName: "module.js",
    reportDiagnostics: true,
    compilerOptions: {
      allowJs: true,
      module: ModuleKind.ESNext,
      target: ScriptTarget.ESNext,
      removeComments: true,
      verbatimModuleSyntax: true,
    },
  });
  const raw = /String\.raw|\\[^\0-\x7f]/.exec(outputText);
  if (diagnostics!.length > 0 || raw !== null || end < "*/".length) {
    throw new Error(
      `Leaving the comments out: expected JavaScript after a comment, without ` +
        `what an escape would change, found ` +
        JSON.stringify(raw?.[0] ?? diagnostics),
    );
  }
  return `${code.slice(0, end)}\n${outputText}`.replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Groups the modules so that `.` opens few files, and `./core`, `./deno`, `./bun`
 * and `./node` none that they don't need. `.` imports those of a native server
 * when it serves.
 */
function groupModules(
  entries: readonly { readonly name: string; readonly id: string }[],
  getModuleInfo: GetModuleInfo,
): Map<string, Group> {
  const users = new Map<string, string[]>();
  const visit = (id: string, name: string): void => {
    const names = users.get(id) ?? [];
    if (names.includes(name)) return;
    users.set(id, [...names, name]);
    for (const imported of getModuleInfo(id).importedIds) visit(imported, name);
  };
  for (const { name, id } of entries) visit(id, name);
  for (const { id } of entries) users.delete(id);
  return new Map(
    [...users].flatMap(([id, names]) => {
      const group = groupOf(names);
      return group === undefined ? [] : [[id, group] as const];
    }),
  );
}

/** Returns the group of a module, from the entry points that lead to it. */
function groupOf(names: readonly string[]): Group | undefined {
  const isNative = names.includes("./deno") || names.includes("./bun");
  if (!names.includes(".")) {
    if (!isNative || names.length > 1) return undefined;
    return names[0] === "./deno" ? "deno" : "bun";
  }
  if (names.includes("./core")) return "core";
  if (!names.includes("./node")) return isNative ? "native" : "neutral";
  return isNative ? "library" : "node";
}
