/**
 * What becomes of a built npm package before it is packed, whichever tool built
 * it: no file that no entry point leads to, and no comment in the code. What is
 * documented there is in the declarations, too.
 *
 * @module
 */

import { createRequire } from "node:module";
import { join } from "node:path";

/** What is used of TypeScript's API. */
interface TypeScript {
  readonly ScriptTarget: { readonly ESNext: number };
  readonly ModuleKind: { readonly ESNext: number };
  transpileModule(
    code: string,
    options: {
      readonly compilerOptions: {
        readonly target: number;
        readonly module: number;
        readonly removeComments: boolean;
        readonly rewriteRelativeImportExtensions: boolean;
      };
    },
  ): { readonly outputText: string };
}

/** What a package says of its entry points. */
export interface PackageEntries {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
}

/**
 * Leaves of a built package what is to be shipped.
 *
 * @param folder The package.
 * @param tools The folder that TypeScript is in.
 */
export async function trimPackage(
  folder: string,
  tools: string,
): Promise<void> {
  const files = await filesBelow(folder);
  const code = new Map<string, string>();
  for (const file of files.filter((each) => /\.[jt]s$/.test(each))) {
    code.set(file, await Deno.readTextFile(join(folder, file)));
  }
  const needed = reachable(
    entryFiles(JSON.parse(await Deno.readTextFile(`${folder}/package.json`))),
    code,
  );
  for (const [file, text] of code) {
    const path = join(folder, file);
    // What has types only is imported by declarations only: as a `.js`.
    const isNeeded = needed.has(file) || needed.has(toDeclaration(file));
    if (!isNeeded) await Deno.remove(path);
    else if (file.endsWith(".js")) {
      await Deno.writeTextFile(path, toPlainCode(text, tools));
    }
  }
}

/**
 * Makes code without types and comments of a file.
 *
 * @param code The text of the file.
 * @param tools The folder that TypeScript is in.
 * @returns The code.
 */
export function toPlainCode(code: string, tools: string): string {
  const ts: TypeScript = createRequire(import.meta.url)(`${tools}typescript`);
  return ts.transpileModule(code, {
    compilerOptions: {
      target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.ESNext,
      removeComments: true,
      rewriteRelativeImportExtensions: true,
    },
  }).outputText;
}

/**
 * Finds the files that a package's entry points are.
 *
 * @param entries What `package.json` says.
 * @returns Their paths in the package, with those of their declarations.
 */
export function entryFiles({ exports, bin = {} }: PackageEntries): string[] {
  const paths = (value: unknown): string[] =>
    typeof value === "string"
      ? [value]
      : Object.values(value as Record<string, unknown>).flatMap(paths);
  return [exports, bin].flatMap(paths).flatMap((path) => {
    const file = path.replace(/^\.\//, "");
    return [file, toDeclaration(file)];
  });
}

/**
 * Finds the files that some files lead to, themselves among them.
 *
 * @param from Where to begin.
 * @param code The text of every file of the package.
 * @returns The paths of all that are there.
 */
export function reachable(
  from: readonly string[],
  code: ReadonlyMap<string, string>,
): Set<string> {
  const found = new Set<string>();
  const left = [...from];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    const text = code.get(file);
    if (text === undefined || found.has(file)) continue;
    found.add(file);
    for (const specifier of specifiersOf(text)) {
      if (!specifier.startsWith(".")) continue;
      const path = join(file, "..", specifier);
      left.push(file.endsWith(".d.ts") ? toDeclaration(path) : path);
    }
  }
  return found;
}

/**
 * Finds what code or declarations import, as ES modules and as CommonJS.
 *
 * @param code The code.
 * @returns The specifiers.
 */
export function specifiersOf(code: string): string[] {
  const withoutComments = code.replace(/\/\*[^]*?\*\//g, "");
  const imported =
    /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(["'])([^"'\n]+)\1/g;
  return [...withoutComments.matchAll(imported)].map(([, , each]) => each!);
}

function toDeclaration(file: string): string {
  return file.replace(/(?:\.d\.ts|\.js)$/, ".d.ts");
}

/**
 * Lists the files below a folder.
 *
 * @param folder The folder.
 * @param below Which of its folders to begin with.
 * @returns Their paths from the folder.
 */
export async function filesBelow(
  folder: string,
  below: string = "",
): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(folder, below))) {
    const path = join(below, name);
    if (isDirectory) files.push(...await filesBelow(folder, path));
    else files.push(path);
  }
  return files;
}
