import assert from "node:assert/strict";
import { test } from "node:test";
import { formatProblems } from "../../../../scripts/structure/problem.ts";
import { readSource } from "../../../../scripts/structure/source.ts";
import { checkSources } from "../../../../scripts/structure/source_checks.ts";

/** The problems of files, up to what is to be done. */
function problemsOf(files: Readonly<Record<string, string>>): string[] {
  const sources = Object.entries(files)
    .map(([path, text]) => readSource(path, text));
  return formatProblems(checkSources(sources))
    .map((line) => line.replace(/: [^:]*$/, ""));
}

test("readSource() finds each kind of declaration at the top level once", () => {
  const { declarations } = readSource(
    "a.ts",
    `
    import { imported } from "./b.ts";
    export { exported } from "./c.ts";
    export function overloaded(a: string): void;
    export function overloaded(a: number): void;
    export function overloaded(): void { const nested = 1; }
    const one = 1, { two, three: [four] } = imported;
    export class Five {}
    interface Six {}
    type Seven = 7;
  `,
  );
  const found = declarations.map(({ name, isType }) => `${name} ${isType}`);
  assert.deepEqual(found, [
    "overloaded false",
    "one false",
    "two false",
    "four false",
    "Five true",
    "Six true",
    "Seven true",
  ]);
});

test("readSource() measures each function without its documentation", () => {
  const { functions, lines } = readSource(
    "a.ts",
    `/**
 * Documentation.
 */
function declared() {
  return 1;
}
const arrow = () =>
  2;
class Class {
  constructor() {}
  get getter() { return 3; }
  /** Documentation. */
  method() {
  }
  abstract(): void;
}
call(function () {
});
type Signature = () =>
  void;
`,
  );
  assert.equal(lines, 20);
  assert.deepEqual(functions.map((each) => Object.values(each).join(" ")), [
    "declared 4 3",
    "arrow 7 2",
    "constructor 10 1",
    "getter 11 1",
    "method 13 2",
    "anonymous function 17 2",
  ]);
});

test("a name that two files declare is reported with all its places", () => {
  const found = problemsOf({
    "src/core/a.ts": "\nexport const name = 1;",
    "src/linux/b.ts": "function name(): void {}",
    "src/cli/c.ts": "type name = 1;",
  });
  assert.deepEqual(found, [
    "src/core/a.ts:2: name is declared in src/linux/b.ts:1, src/cli/c.ts:1, too",
  ]);
});

test("entry points, one file, and what is nested may repeat a name", () => {
  const found = problemsOf({
    "mod.ts": "export function serve() {}",
    "src/deno.ts": "export function serve() {}",
    "src/core/a.ts": "interface Name {} const Name = 1; const other = 2;",
    "src/core/b.ts": "function serve() { const other = 3; }",
    "scripts/c.ts": "const Name = 4;",
  });
  assert.deepEqual(found, []);
});

test("a directory of more than 16 files is reported", () => {
  const files = (length: number, directory: string) =>
    Array.from({ length }, (_, index) => [`${directory}/${index}.ts`, ""]);
  const found = problemsOf(Object.fromEntries([
    ...files(16, "src/core"),
    ...files(17, "src/cli"),
    ...files(16, "src/cli/run"),
    ...files(17, "scripts"),
  ]));
  assert.deepEqual(found, ["src/cli:1: holds 17 files, more than 16"]);
});

test("a file of more than 350 lines is reported", () => {
  const found = problemsOf({
    "src/core/a.ts": "\n".repeat(350),
    "src/core/b.ts": "\n".repeat(351),
    "src/core/c.ts": "\n".repeat(350) + "c();",
    "scripts/d.ts": "\n".repeat(351),
    "tests/e.ts": "\n".repeat(351),
  });
  assert.deepEqual(found, [
    "scripts/d.ts:1: has 351 lines, more than 350",
    "src/core/b.ts:1: has 351 lines, more than 350",
    "src/core/c.ts:1: has 351 lines, more than 350",
  ]);
});

test("a function of more than 60 lines is reported", () => {
  const found = problemsOf({
    "src/core/a.ts": `function fits() {${"\n".repeat(59)}}`,
    "src/core/b.ts": `\nconst long = () => {${"\n".repeat(60)}};`,
    "tests/c.ts": `function test() {${"\n".repeat(60)}}`,
  });
  assert.deepEqual(found, [
    "src/core/b.ts:2: long has 61 lines, more than 60",
  ]);
});

test("a global of a runtime is reported wherever it is reached from", () => {
  for (
    const [name, code] of [
      ["Deno", "Deno.exit();"],
      ["Deno", "globalThis.Deno?.version;"],
      ["Deno", 'globalThis["Deno"];'],
      ["Deno", "let server: Deno.HttpServer;"],
      ["Bun", "const { Bun } = globalThis as { Bun?: object };"],
      ["Bun", "typeof Bun;"],
    ] as const
  ) {
    assert.deepEqual(problemsOf({ "src/shutdown/a.ts": code }), [
      `src/shutdown/a.ts:1: names ${name}`,
    ], code);
    assert.deepEqual(problemsOf({ "src/cli/a.ts": code }).length, 1, code);
    for (
      const path of ["src/runtime/deno/a.ts", "src/ffi/bun.ts", "src/node.ts"]
    ) assert.deepEqual(problemsOf({ [path]: code }), [], code);
  }
});

test("a word in a comment, a message or a table names no runtime", () => {
  const code = `
    /** As {@linkcode Deno.serve} does. */
    const TITLES = { Deno: "Deno", Bun: "1.2", runtime: "deno" }; // Bun.serve
    throw new Error("Deno.serve and bun:ffi: see \`Bun\`");
    const Denormal = 1;
  `;
  assert.deepEqual(problemsOf({ "src/runtime/versions.ts": code }), []);
});

test("a module of a runtime is named by its platform, its adapter and src/cli", () => {
  for (const name of ["bun:ffi", "node:ffi"]) {
    const code = `builtin("${name}");`;
    assert.deepEqual(problemsOf({ "src/runtime/a.ts": code }), [
      `src/runtime/a.ts:1: names ${name}`,
    ]);
    assert.deepEqual(problemsOf({ "src/runtime/bun/a.ts": code }), []);
    assert.deepEqual(problemsOf({ "src/cli/a.ts": code }), []);
  }
  const neutral = 'builtin("node:net");';
  assert.deepEqual(problemsOf({ "src/runtime/a.ts": neutral }), []);
});

test("files of core, linux and ffi use no global of a runtime", () => {
  const code = "process.env; globalThis.process; const pid = process;";
  for (const path of ["src/core/a.ts", "src/linux/a.ts", "src/ffi/a.ts"]) {
    assert.deepEqual(problemsOf({ [path]: code }), [
      `${path}:1: names globalThis`,
      `${path}:1: names process`,
    ]);
  }
  assert.deepEqual(problemsOf({ "src/ffi/node.ts": code }), []);
  assert.deepEqual(problemsOf({ "src/runtime/a.ts": code }), []);
  const other = "a.process.b; const processes = { process: 1 };";
  assert.deepEqual(problemsOf({ "src/core/a.ts": other }), []);
});

test("a file named after a runtime outside of its place is reported", () => {
  const found = problemsOf({
    "src/runtime/bun_server.ts": "",
    "src/cli/run/node.ts": "",
    "src/linux/deno/a.ts": "",
    "src/runtime/bun/server.ts": "",
    "src/ffi/node.ts": "",
    "src/deno.ts": "",
    "src/core/nodes.ts": "",
  });
  assert.deepEqual(found, [
    "src/cli/run/node.ts:1: is named after a runtime",
    "src/linux/deno/a.ts:1: is named after a runtime",
    "src/runtime/bun_server.ts:1: is named after a runtime",
  ]);
});
