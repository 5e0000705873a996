/**
 * The rules on which file may know which: a core file never imports a runtime
 * one, data flows one way, and importing the library runs on every runtime.
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../../", import.meta.url);

/** One import, export-from or dynamic import. */
interface Import {
  /** What is imported, as it is written. */
  readonly specifier: string;
  /** How: erased by the compiler, at once, or when the code gets there. */
  readonly kind: "type" | "static" | "dynamic";
}

/** A source file. */
interface Source {
  /** Its path from the repository's root. */
  readonly path: string;
  /** Its code without comments. */
  readonly code: string;
  readonly imports: readonly Import[];
}

/** Removes comments; strings, which may look like some, stay. */
function stripComments(code: string): string {
  return code.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[^]*?\*\/|\/\/[^\n]*/g,
    (_, text?: string) => text ?? " ",
  );
}

function importsOf(code: string): Import[] {
  const clause = String
    .raw`(?:[\w$]+\s*,\s*)?(?:\{[^{}]*\}|\*(?:\s*as\s+[\w$]+)?|[\w$]+)`;
  const from = new RegExp(
    String.raw`\b(?:import|export)\s*(\btype\b\s*)?${clause}\s*from\s*` +
      String.raw`(["'])([^"'\n]+)\2`,
    "g",
  );
  const found: Import[] = [];
  for (const [, type, , specifier] of code.matchAll(from)) {
    found.push({ specifier: specifier!, kind: type ? "type" : "static" });
  }
  for (
    const [, , specifier] of code.matchAll(/\bimport\s*(["'])([^"'\n]+)\1/g)
  ) {
    found.push({ specifier: specifier!, kind: "static" });
  }
  for (
    const [, specifier] of code.matchAll(/\bimport\s*\(\s*(["'`]?[^)\s,]*)/g)
  ) {
    found.push({
      specifier: specifier!.replace(/["'`]/g, ""),
      kind: "dynamic",
    });
  }
  return found;
}

/** The runtimes' globals that code uses. */
function globalsOf(code: string): string[] {
  return code.match(
    /(?<![\w$.])(?:Deno|Bun|process|globalThis)\s*(?:\?\.|[.[])/g,
  ) ??
    [];
}

function sourcesBelow(folder: string): Source[] {
  return readdirSync(new URL(folder, ROOT), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}${entry.name}`;
      if (entry.isDirectory()) return sourcesBelow(`${path}/`);
      if (!/\.[cm]?[jt]sx?$/.test(path)) return [];
      const code = stripComments(readFileSync(new URL(path, ROOT), "utf8"));
      return [{ path, code, imports: importsOf(code) }];
    });
}

/** The imports of files below a folder, as paths from the root or as written. */
function edges(folder: string): { from: string; to: string; kind: string }[] {
  return sourcesBelow(folder).flatMap(({ path, imports }) =>
    imports.map(({ specifier, kind }) => ({
      from: path,
      to: specifier.startsWith(".")
        ? new URL(specifier, new URL(path, ROOT)).href.slice(ROOT.href.length)
        : specifier,
      kind,
    }))
  );
}

test("stripComments() removes comments and keeps what only looks like one", () => {
  assert.equal(
    stripComments('a("http://x"); // Deno.exit()\n/* Bun.\n */b(`/*`)'),
    'a("http://x");  \n b(`/*`)',
  );
});

test("importsOf() finds every form of import", () => {
  const code = [
    'import a from "a";',
    "import b, { type c } from 'b';",
    'import * as d from "d";',
    'import {\n  e,\n  f,\n} from "e";',
    'import type { g } from "g";',
    'import type * as h from "h";',
    'import "i";',
    'export { j } from "j";',
    'export * from "k";',
    'export type { l } from "l";',
    'await import("m");',
    "await import(name);",
    'import{n}from"n";',
    'export const from = "no";',
  ].join("\n");
  const found = importsOf(code).map(({ specifier, kind }) =>
    `${specifier} ${kind}`
  );
  assert.deepEqual(found.sort(), [
    "a static",
    "b static",
    "d static",
    "e static",
    "g type",
    "h type",
    "i static",
    "j static",
    "k static",
    "l type",
    "m dynamic",
    "n static",
    "name dynamic",
  ]);
});

test("globalsOf() finds the runtimes' globals, and not what is only called so", () => {
  assert.equal(
    globalsOf("Deno.x; Bun?.y; process.env; process[z]; globalThis.Deno")
      .length,
    5,
  );
  assert.deepEqual(globalsOf("a.process.b; processes.c; Deno: d; x(Bun)"), []);
});

test("core files import core files only", () => {
  const found = edges("src/core/");
  assert.ok(found.length >= 10, "the imports of src/core were not found");
  assert.deepEqual(found.filter(({ to }) => !to.startsWith("src/core/")), []);
});

test("core files import each other in one direction only", () => {
  const found = edges("src/core/");
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(
      !path.includes(file),
      `a circle: ${[...path, file].join(" -> ")}`,
    );
    for (const { from, to } of found) {
      if (from === file) visit(to, [...path, file]);
    }
  };
  for (const { from } of found) visit(from, []);
});

test("files of src/ffi import each other only", () => {
  const found = edges("src/ffi/");
  assert.ok(found.length >= 3, "the imports of src/libc were not found");
  assert.deepEqual(found.filter(({ to }) => !to.startsWith("src/ffi/")), []);
});

test("files of src/linux import files of core and ffi and each other only", () => {
  const found = edges("src/linux/");
  assert.ok(found.length >= 4, "the imports of src/linux were not found");
  assert.deepEqual(
    found.filter(({ to }) => !/^src\/(?:core|ffi|linux)\//.test(to)),
    [],
  );
});

test("nothing outside src/cli imports it", () => {
  const found = [...edges("src/"), ...edgesOfEntry()];
  assert.deepEqual(
    found.filter(({ from, to }) =>
      to.startsWith("src/cli/") && !from.startsWith("src/cli/")
    ),
    [],
  );
});

test("files of src import no file outside it", () => {
  const found = edges("src/").filter(({ to }) =>
    !to.startsWith("src/") && /\.[cm]?[jt]s$/.test(to)
  );
  assert.deepEqual(found, []);
});

test("files of src/core, src/linux and src/ffi use no global of a runtime", () => {
  for (const [folder, count] of [["core", 10], ["linux", 3], ["ffi", 4]]) {
    const sources = sourcesBelow(`src/${folder}/`);
    assert.ok(sources.length >= Number(count), "the files were not found");
    for (const { path, code } of sources) {
      assert.deepEqual(globalsOf(code), [], path);
    }
  }
});

test("nothing but src/cli imports a runtime's own module, except for its types", () => {
  const found = [...edges("src/"), ...edgesOfEntry()].filter(({ to }) =>
    /^(?:node|bun|deno|jsr|npm|https?):|^bun$/.test(to)
  );
  assert.ok(found.length >= 5, "the imports of types were not found");
  assert.deepEqual(
    found.filter(({ from, kind }) =>
      kind === "static" && !from.startsWith("src/cli/")
    ),
    [],
  );
});

/** The imports of the entry point, which is no folder. */
function edgesOfEntry(): { from: string; to: string; kind: string }[] {
  const code = stripComments(readFileSync(new URL("mod.ts", ROOT), "utf8"));
  const found = importsOf(code);
  assert.ok(found.length >= 3, "the imports of mod.ts were not found");
  return found.map(({ specifier, kind }) => ({
    from: "mod.ts",
    to: specifier.replace(/^\.\//, ""),
    kind,
  }));
}
