import assert from "node:assert/strict";
import { test } from "node:test";
import { compileGlob, globRoot } from "../../../../src/cli/run/glob.ts";

test("compileGlob() matches what shells and editors take it for", () => {
  const cases: readonly [string, readonly string[], readonly string[]][] = [
    ["/a/*.ts", ["/a/b.ts", "/a/.ts"], ["/a/b/c.ts", "/a/b.tsx", "/a/bXts"]],
    ["/a/**/*.ts", ["/a/b.ts", "/a/b/c/d.ts"], ["/b/c.ts", "/a/b.js"]],
    ["/a/**", ["/a/b", "/a/b/c"], ["/a", "/b/c"]],
    ["/**/x", ["/x", "/a/x", "/a/b/x"], ["/ax", "/a/x/b"]],
    ["/a?c", ["/abc"], ["/a/c", "/ac", "/abbc"]],
    ["/{a,b*}/c", ["/a/c", "/b/c", "/bx/c"], ["/{a,b*}/c", "/c/c"]],
    ["/{a,{b,c}}", ["/a", "/b", "/c"], ["/d"]],
    ["/[a-c]x", ["/ax", "/cx"], ["/dx", "/-x"]],
    ["/[!a]x", ["/bx"], ["/ax", "//x"]],
    ["/[]]x", ["/]x"], ["/ax"]],
    ["/[a", ["/[a"], ["/a"]],
    ["/[z-a]", [], ["/z", "/a", "/b", "/-"]],
    ["/[a-]", ["/a", "/-"], ["/b"]],
    ["/[!]]", ["/a"], ["/]"]],
    ["/{a,,b}c", ["/ac", "/c", "/bc"], ["/abc"]],
    ["/{*,x}{y,*}z", ["/z", "/az", "/xyz"], ["/a/z"]],
    ["/a**/b", ["/ax/b", "/ax/y/b"], ["/b"]],
    ["/{a", ["/{a"], ["/a"]],
    ["/a}", ["/a}"], ["/a"]],
    ["/a,b.(c)+$^|\\d", ["/a,b.(c)+$^|\\d"], ["/a", "/a,bX(c)+$^|\\d"]],
  ];
  for (const [glob, yes, no] of cases) {
    const matches = compileGlob(glob);
    for (const path of yes) assert.ok(matches(path), `${glob} ${path}`);
    for (const path of no) assert.ok(!matches(path), `${glob} ${path}`);
  }
});

test("globRoot() gives the directory that all matches are in", () => {
  const cases: readonly [string, string][] = [
    ["/a/b/*.ts", "/a/b"],
    ["/a/**/b", "/a"],
    ["/*", "/"],
    ["/a/{b,c}/d", "/a"],
    ["/a/b", "/a/b"],
    ["*.ts", "."],
  ];
  for (const [glob, root] of cases) assert.equal(globRoot(glob), root, glob);
});
