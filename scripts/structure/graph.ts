/**
 * The rules about imports: layers, cycles, modules outside of src, and files that
 * no entry point imports.
 *
 * @module
 */

import { isIn, type Problem } from "./problem.ts";
import { LAYERS, PROGRAM } from "./rules.ts";

/** An import, a re-export or the type of a module. */
export interface Import {
  readonly from: string;
  /** A path from the repository's root, or the specifier of another module. */
  readonly to: string;
  readonly line: number;
  readonly kind: "type" | "static" | "dynamic";
}

/** The modules of the library. */
export interface Graph {
  /** Paths from the repository's root. */
  readonly files: readonly string[];
  readonly imports: readonly Import[];
}

/** The part of the output of `deno info --json` that is used. */
export interface DenoInfo {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly code?: Target;
      readonly type?: Target;
      readonly isDynamic?: boolean;
    }[];
  }[];
}

interface Target {
  readonly specifier?: string;
  readonly error?: string;
  readonly span: { readonly start: { readonly line: number } };
}

/** Merges the outputs of `deno info --json` for several entry points. */
export function readGraph(infos: readonly DenoInfo[], root: string): Graph {
  const modules = new Map(
    infos.flatMap(({ modules }) => modules)
      .filter(({ specifier }) => specifier.startsWith(root))
      .map((module) => [module.specifier.slice(root.length), module]),
  );
  const imports: Import[] = [];
  for (const [from, { error, dependencies = [] }] of modules) {
    if (error !== undefined) throw new Error(`Reading ${from}: ${error}`);
    const add = (target: Target | undefined, kind: Import["kind"]): void => {
      if (target === undefined) return;
      const { specifier, error, span } = target;
      if (specifier === undefined) throw new Error(`Reading ${from}: ${error}`);
      const isInside = specifier.startsWith(root);
      const to = isInside ? specifier.slice(root.length) : specifier;
      imports.push({ from, to, line: span.start.line + 1, kind });
    };
    for (const { code, type, isDynamic } of dependencies) {
      add(code, isDynamic ? "dynamic" : "static");
      add(type, "type");
    }
  }
  return { files: [...modules.keys()], imports };
}

/** Reports every violation of the rules about imports. */
export function checkGraph(
  { files, imports }: Graph,
  sources: readonly string[],
): Problem[] {
  const inLibrary = imports.filter(({ from }) =>
    isIn(from, ["src/", "mod.ts"])
  );
  // A cycle through several groups has an import that breaks a rule by itself.
  const allowed = inLibrary.filter((each) => checkImport(each) === undefined);
  return [
    ...inLibrary.flatMap((each) => checkImport(each) ?? []),
    ...findCycles(allowed),
    ...sources.filter((path) => groupOf(path) === undefined).map((path) => ({
      path,
      line: 1,
      message: "belongs to no layer: add its directory to LAYERS in " +
        "scripts/structure/rules.ts",
    })),
    ...sources.filter((path) => !files.includes(path)).map((path) => ({
      path,
      line: 1,
      message: "no entry point imports this file: import it or delete it",
    })),
  ];
}

function checkImport(entry: Import): Problem | undefined {
  const { from, to, line } = entry;
  const message = to.includes(":")
    ? checkForeign(entry)
    : !to.startsWith("src/")
    ? `imports ${to}, which is outside src: move the code into src`
    : checkArrow(from, to);
  return message === undefined ? undefined : { path: from, line, message };
}

/** Modules of a runtime, packages, and files elsewhere. */
function checkForeign({ from, to, kind }: Import): string | undefined {
  if (/^(?:node|bun):/.test(to)) {
    if (kind !== "static" || from.startsWith(PROGRAM)) return undefined;
    return `imports ${to} statically: load it with builtin(), or import types`;
  }
  return `imports ${to}, which users don't get: write the code in src`;
}

function checkArrow(from: string, to: string): string | undefined {
  const source = groupOf(from);
  const target = groupOf(to);
  if (source === undefined || target === undefined) return undefined;
  if (source.name === target.name || source.layer > target.layer) {
    return undefined;
  }
  return source.layer < target.layer
    ? `imports ${to} of a higher layer: move the shared code to a lower one`
    : `imports ${to}, but ${source.name} and ${target.name} don't import ` +
      `each other: move the shared code to a lower layer`;
}

const GROUPS: ReadonlyMap<string, { name: string; layer: number }> = new Map(
  LAYERS.flatMap((groups, layer) =>
    groups.split(" | ").flatMap((name) =>
      name.split(", ").map((member) => [member, { name, layer }] as const)
    )
  ),
);

function groupOf(path: string): { name: string; layer: number } | undefined {
  return GROUPS.get(path) ?? GROUPS.get(path.replace(/\/?[^/]*$/, ""));
}

/** Finds a shortest cycle through each import, and reports each cycle once. */
function findCycles(imports: readonly Import[]): Problem[] {
  const targets = Map.groupBy(
    imports.filter(({ kind }) => kind !== "dynamic"),
    ({ from }) => from,
  );
  const found = new Map<string, Problem>();
  for (const { from, to } of [...targets.values()].flat()) {
    const path = shortestPath(targets, to, from);
    if (path === undefined) continue;
    const first = path.indexOf(path.toSorted()[0]!);
    const cycle = [...path.slice(first), ...path.slice(0, first)];
    const [start, next = start] = cycle as [string, ...string[]];
    const { line } = targets.get(start)!.find(({ to }) => to === next)!;
    const message = `cycle of imports, ${[...cycle, start].join(" -> ")}: ` +
      "move the shared code to a file of its own";
    found.set(message, { path: start, line, message });
  }
  return [...found.values()];
}

/** The files from one to another, both included. */
function shortestPath(
  targets: ReadonlyMap<string, readonly Import[]>,
  from: string,
  to: string,
): string[] | undefined {
  const paths = new Map([[from, [from]]]);
  // A map can grow while it is iterated: this is a queue, too.
  for (const [file, path] of paths) {
    if (file === to) return path;
    for (const { to: next } of targets.get(file) ?? []) {
      if (!paths.has(next)) paths.set(next, [...path, next]);
    }
  }
  return undefined;
}
