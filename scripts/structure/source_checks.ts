/**
 * The rules about names and sizes: a name is declared once, files and functions
 * are short, and a runtime is named only where it belongs.
 *
 * @module
 */

import { isIn, type Problem } from "./problem.ts";
import {
  ENTRY_POINT,
  LIMITS,
  PROGRAM,
  RUNTIME_FREE,
  RUNTIME_PLACES,
} from "./rules.ts";
import type { Declaration, RuntimeReference, Source } from "./source.ts";

/** Reports every violation of the rules about names and sizes. */
export function checkSources(sources: readonly Source[]): Problem[] {
  return [
    ...checkNames(sources),
    ...checkDirectories(sources),
    ...sources.flatMap(checkSizes),
    ...sources.filter(({ path }) => isIn(path, ["src/", "mod.ts"]))
      .flatMap(checkRuntimes),
  ];
}

/** Top-level names declared in several files of src, each with all its places. */
export function findDoubledNames(
  sources: readonly Source[],
): Map<string, (Declaration & { path: string })[]> {
  const declarations = sources
    .filter(({ path }) => isIn(path, ["src/"]) && !ENTRY_POINT.test(path))
    .flatMap(({ path, declarations }) =>
      declarations.map((declaration) => ({ path, ...declaration }))
    );
  const byName = Map.groupBy(declarations, ({ name }) => name);
  return new Map(
    [...byName].filter(([, places]) =>
      places.some(({ path }) => path !== places[0]!.path)
    ),
  );
}

function checkNames(sources: readonly Source[]): Problem[] {
  return [...findDoubledNames(sources)].map(([name, [first, ...others]]) => {
    const places = others.map(({ path, line }) => `${path}:${line}`);
    return {
      path: first!.path,
      line: first!.line,
      message: `${name} is declared in ${places.join(", ")}, too: share it, ` +
        "or give each a name of its own",
    };
  });
}

function checkDirectories(sources: readonly Source[]): Problem[] {
  const { directory } = LIMITS;
  const byDirectory = Map.groupBy(
    sources.filter(({ path }) => isIn(path, directory.in)),
    ({ path }) => path.slice(0, path.lastIndexOf("/")),
  );
  return [...byDirectory]
    .filter(([, { length }]) => length > directory.files)
    .map(([path, { length }]) => ({
      path,
      line: 1,
      message: `holds ${length} files, more than ${directory.files}: move ` +
        "those of one job to a directory of their own",
    }));
}

function checkSizes({ path, lines, functions }: Source): Problem[] {
  const problems: Problem[] = [];
  if (isIn(path, LIMITS.file.in) && lines > LIMITS.file.lines) {
    const message = `has ${lines} lines, more than ${LIMITS.file.lines}: ` +
      "split it by reasons to change";
    problems.push({ path, line: 1, message });
  }
  if (!isIn(path, LIMITS.function.in)) return problems;
  for (const { name, line, lines } of functions) {
    if (lines <= LIMITS.function.lines) continue;
    const message = `${name} has ${lines} lines, more than ` +
      `${LIMITS.function.lines}: split it into steps with names`;
    problems.push({ path, line, message });
  }
  return problems;
}

function checkRuntimes({ path, globals, modules }: Source): Problem[] {
  if (isIn(path, RUNTIME_PLACES)) return [];
  const isRuntimeFree = isIn(path, RUNTIME_FREE);
  const references: RuntimeReference[] = [
    ...globals.filter(({ name }) => isRuntimeFree || /^[A-Z]/.test(name)),
    ...(path.startsWith(PROGRAM) ? [] : modules),
  ];
  const problems = references.map(({ name, line }) => ({
    path,
    line,
    message: `names ${name}: move it to the platform of its runtime, ` +
      "src/runtime/{deno,bun,node}, or pass it as an argument",
  }));
  if (/(?:^|[/_])(?:deno|bun|node)[_./]/.test(path)) {
    const message = "is named after a runtime: move it to src/runtime/" +
      "{deno,bun,node} or name it after its job";
    problems.push({ path, line: 1, message });
  }
  return problems;
}
