import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import {
  changedFiles,
  takeSnapshot,
} from "../../../../src/cli/run/snapshot.ts";
import {
  type WatchedFiles,
  watchedFiles,
  type WatchRequest,
} from "../../../../src/cli/run/watched_files.ts";

const FILES = [
  "app/main.py",
  "app/main.ts",
  "app/lib/a.mjs",
  "app/lib/b.py",
  "app/lib/c.css",
  "app/.env",
  "app/.env.local",
  "app/.envrc",
  "app/.hidden.ts",
  "app/.cache/a.ts",
  "app/coverage/a.ts",
  "app/node_modules/a/a.ts",
  "app/data.db",
  "app/Makefile",
  "app/server.log",
  "app/tool",
  "other.ts",
];

/** Calls a function with the files in a directory. */
function withFiles(use: (directory: string) => void): void {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "listenfds-"));
  try {
    for (const name of FILES) {
      const file = path.join(directory, name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, "");
    }
    use(directory);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

function select(cwd: string, request: Partial<WatchRequest>): WatchedFiles {
  return watchedFiles({
    globs: [],
    ignored: [],
    command: ["node"],
    extraFiles: [],
    cwd,
    ...request,
  });
}

/** Returns the watched files, relative and sorted. */
function list(cwd: string, request: Partial<WatchRequest>): string[] {
  return [...takeSnapshot(select(cwd, request)).files.keys()]
    .map((file) => path.relative(cwd, file)).sort();
}

const SOURCES = [
  "app/.env",
  "app/.env.local",
  "app/lib/a.mjs",
  "app/lib/c.css",
];

test("watchedFiles() selects source files beside those of the command", () => {
  withFiles((cwd) => {
    assert.deepEqual(
      list(cwd, { command: ["deno", "run", "-A", "app/main.ts"] }),
      [...SOURCES, "app/main.ts"],
    );
    // The ending of the script counts, and the program itself, too.
    assert.deepEqual(
      list(cwd, { command: ["python3", "app/main.py"] }),
      [...SOURCES, "app/lib/b.py", "app/main.py", "app/main.ts"].sort(),
    );
    assert.deepEqual(
      list(cwd, { command: ["./app/tool"] }),
      [...SOURCES, "app/main.ts", "app/tool"],
    );
    assert.deepEqual(list(cwd, {}), [...SOURCES, "app/main.ts", "other.ts"]);
    assert.deepEqual(
      list(`${cwd}/app/.cache`, { command: ["node", "a.ts"] }),
      ["a.ts"],
    );
  });
});

test("watchedFiles() selects all that globs match", () => {
  withFiles((cwd) => {
    assert.deepEqual(list(cwd, { globs: ["app/*.{log,db}", "other.ts"] }), [
      "app/data.db",
      "app/server.log",
      "other.ts",
    ]);
    assert.deepEqual(list(cwd, { globs: ["app/lib"] }), [
      "app/lib/a.mjs",
      "app/lib/b.py",
      "app/lib/c.css",
    ]);
  });
});

test("watchedFiles() leaves out what is ignored, but no file of variables", () => {
  withFiles((cwd) => {
    const globs = ["app/lib", "app/main.*"];
    assert.deepEqual(list(cwd, { globs, ignored: ["*.py", "app/lib/c.css"] }), [
      "app/lib/a.mjs",
      "app/main.ts",
    ]);
    for (const ignored of ["lib", "app/lib", "app/lib/", `${cwd}/app/l*`]) {
      assert.deepEqual(list(cwd, { globs, ignored: [ignored] }), [
        "app/main.py",
        "app/main.ts",
      ]);
    }
    const extraFiles = [`${cwd}/app/.envrc`];
    assert.deepEqual(list(cwd, { globs, ignored: ["app"], extraFiles }), [
      "app/.envrc",
    ]);
  });
});

test("changedFiles() finds new, changed and removed files", () => {
  withFiles((cwd) => {
    const watched = select(cwd, { globs: ["app/lib"] });
    const before = takeSnapshot(watched);
    assert.deepEqual(changedFiles(before, takeSnapshot(watched)), []);
    const file = (name: string) => path.join(cwd, "app/lib", name);
    fs.writeFileSync(file("a.mjs"), "changed");
    fs.rmSync(file("b.py"));
    fs.writeFileSync(file("new"), "");
    assert.deepEqual(
      changedFiles(before, takeSnapshot(watched)),
      ["a.mjs", "b.py", "new"].map(file),
    );
  });
});
