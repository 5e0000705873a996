import assert from "node:assert/strict";
import { test } from "node:test";
import {
  entryFiles,
  reachable,
  specifiersOf,
  startCommand,
} from "../../../scripts/npm_files.ts";

test("specifiersOf() finds the imports of ES modules and of CommonJS", () => {
  const code = [
    'import { a } from "./a.js";',
    "import'./b.js';",
    'export * from "./c.js";',
    'const d = await import("./d.js");',
    'const e = require("e");',
    '/* import "./no.js"; */',
    'type F = import("./f.js").F;',
  ].join("\n");
  assert.deepEqual(specifiersOf(code), [
    "./a.js",
    "./b.js",
    "./c.js",
    "./d.js",
    "e",
    "./f.js",
  ]);
});

test("entryFiles() finds what exports and bin name, with declarations", () => {
  const files = entryFiles({
    exports: {
      ".": { import: "./esm/mod.js", require: "./script/mod.js" },
      "./a": { types: "./a.d.ts", default: "./a.js" },
    },
    bin: { b: "./b.js" },
  });
  assert.deepEqual(files, [
    "esm/mod.js",
    "esm/mod.d.ts",
    "script/mod.js",
    "script/mod.d.ts",
    "a.d.ts",
    "a.js",
    "b.js",
  ]);
});

test("reachable() follows code to code, and declarations to declarations", () => {
  const code = new Map([
    ["mod.js", 'import "./src/a.js";\nimport "outside";'],
    ["mod.d.ts", 'export type { B } from "./src/b.js";'],
    ["src/a.js", 'import "../mod.js";\nimport "./missing.js";'],
    ["src/a.d.ts", ""],
    ["src/b.js", ""],
    ["src/b.d.ts", ""],
  ]);
  assert.deepEqual([...reachable(["mod.js", "mod.d.ts"], code)].sort(), [
    "mod.d.ts",
    "mod.js",
    "src/a.js",
    "src/b.d.ts",
  ]);
});

test("startCommand() replaces the first line, and leaves valid code", () => {
  const text = startCommand('#!/usr/bin/env node\nconsole.log("x");\n');
  assert.match(
    text,
    /^#!\/usr\/bin\/env sh\n\/\/[^\n]* node -- "\$0" "\$@"\nconsole\./,
  );
  assert.throws(() => startCommand("console.log();"), /its first line/);
});
