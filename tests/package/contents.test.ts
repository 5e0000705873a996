/** The content of the package: all that is needed, and nothing else. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import {
  entryFiles,
  reachable,
  specifiersOf,
} from "../../scripts/npm_files.ts";
import { ROOT } from "../harness/hosts.ts";
import { temporaryDirectory } from "../harness/machine_tools.ts";
import { test } from "../harness/timed_test.ts";
import {
  MANIFEST,
  NODE,
  PACKAGE_TOOLS,
  run,
  succeed,
  TARBALL,
} from "./project.ts";

const CONFIG = JSON.parse(
  fs.readFileSync(path.join(ROOT, "deno.json"), "utf8"),
);

/** Unpacks the tarball; gives the text of every file. */
async function unpack(t: TestContext): Promise<Map<string, string>> {
  const directory = temporaryDirectory(t);
  await succeed("tar", ["-xzf", TARBALL, "-C", directory], directory);
  const root = path.join(directory, "package");
  const files = fs.readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  return new Map(
    files.map((file) => [
      path.relative(root, file),
      fs.readFileSync(file, "utf8"),
    ]),
  );
}

test("package.json tells what deno.json says, and what npm's users need", () => {
  const { name, version, license, exports, engines, bin } = MANIFEST;
  assert.deepEqual({ name, version, license }, {
    name: CONFIG.name,
    version: CONFIG.version,
    license: CONFIG.license,
  });
  assert.deepEqual(Object.keys(exports), Object.keys(CONFIG.exports));
  assert.deepEqual(
    Object.keys(exports),
    [
      ".",
      "./core",
      "./deno",
      "./bun",
      "./node",
      "./notify",
      "./preload",
      "./cli",
    ],
  );
  assert.deepEqual(engines, { node: ">=22.12", bun: ">=1.2.6", deno: ">=2.3" });
  assert.deepEqual(Object.keys(bin), ["listenfds"]);
  assert.ok(MANIFEST["description"], "no description");
});

test("there are no dependencies", () => {
  const fields = ["dependencies", "devDependencies", "peerDependencies"];
  for (const field of [...fields, "optionalDependencies", "scripts"]) {
    assert.deepEqual(MANIFEST[field] ?? {}, {}, field);
  }
});

test("an entry point leads to each file, or it is for people", async (t) => {
  const code = await unpack(t);
  const needed = reachable(entryFiles(MANIFEST), code);
  const forPeople = ["LICENSE", "README.md"];
  const others = [...code.keys()].filter((file) => !needed.has(file));
  assert.deepEqual(
    others.filter((file) => path.basename(file) !== "package.json").sort(),
    forPeople,
  );
  for (const file of entryFiles(MANIFEST)) {
    assert.ok(code.has(file), `${file} is missing`);
  }
  // No declaration leads out, except to Node's modules.
  for (const [file, text] of code) {
    if (!file.endsWith(".d.ts")) continue;
    for (const specifier of specifiersOf(text)) {
      if (specifier.startsWith("node:")) continue;
      const target = path.join(file, "..", specifier.replace(/\.js$/, ".d.ts"));
      assert.ok(code.has(target), `${file} names ${specifier}`);
    }
  }
});

test("the code imports only what every runtime has", async (t) => {
  const code = await unpack(t);
  const { "./cli": _, ...exports } = MANIFEST.exports;
  const outside = new Set<string>();
  for (const file of reachable(entryFiles({ exports }), code)) {
    if (!file.endsWith(".js")) continue;
    for (const specifier of specifiersOf(code.get(file)!)) {
      if (!specifier.startsWith(".")) outside.add(specifier);
    }
  }
  assert.deepEqual([...outside], []);
});

test("there is no shim, no polyfill and no source map", async (t) => {
  for (const [file, text] of await unpack(t)) {
    assert.doesNotMatch(file, /shim|polyfill|\.map$/);
    if (!/\.js$/.test(file)) continue;
    // Version managers have some, of which the command speaks.
    const code = text.replace(
      /volta-shim|shim of a version manager|version manager's shim/g,
      "",
    );
    assert.doesNotMatch(code, /shim|polyfill|sourceMappingURL/i, file);
  }
});

/** The names of the functions and classes that code declares. */
function declaredNames(code: string): Set<string> {
  const declaration =
    /^\s*(?:export )?(?:async )?(?:abstract )?(?:class|function\*?) ([\w$]+)/gm;
  return new Set([...code.matchAll(declaration)].map(([, name]) => name!));
}

test("the code has the names of the sources, and lines to read", async (t) => {
  const files = fs.readdirSync(path.join(ROOT, "src"), { recursive: true })
    .map((file) => path.join("src", String(file)))
    .filter((file) => file.endsWith(".ts"));
  const sources = ["mod.ts", ...files]
    .map((file) => fs.readFileSync(path.join(ROOT, file), "utf8"));
  const names = declaredNames(sources.join("\n"));
  assert.ok(names.has("ActivationError") && names.has("claimTarget"));
  const { name, version } = MANIFEST;
  for (const [file, text] of await unpack(t)) {
    if (!file.endsWith(".js")) continue;
    const unknown = declaredNames(text).difference(names);
    assert.deepEqual([...unknown], [], file);
    const start = /^(?:#!.*\n\/\/\/.*\n|\/\/ @bun\n)?/;
    assert.ok(
      text.replace(start, "").startsWith(`/*\n * ${name} ${version}, `),
      file,
    );
    const code = text.replace(/\/\*[^]*?\*\//g, "");
    const long = code.split("\n").filter((line) => line.length >= 160);
    assert.deepEqual(long, [], file);
  }
});

test("the tarball has at most 208 KiB", () => {
  // 13 KiB more than it has: comments alone, which are left out, take 50.
  const { size } = fs.statSync(TARBALL);
  assert.ok(size <= 208 * 1024, `it has ${size} bytes`);
});

test("publint finds nothing", async (t) => {
  const cli = path.join(PACKAGE_TOOLS, "publint/src/cli.js");
  const args = [cli, "run", TARBALL, "--strict"];
  const output = await succeed(NODE, args, temporaryDirectory(t));
  assert.match(output, /All good!/);
});

/** The report of `attw --format json`. */
interface Analysis {
  readonly analysis: {
    readonly entrypoints: Readonly<Record<string, unknown>>;
    readonly problems: readonly {
      readonly kind: string;
      readonly entrypoint?: string;
      readonly resolutionKind?: string;
    }[];
  };
}

/** Resolution as in Node 10 knows no `exports`: that is nothing for Node 22. */
test("the types are not wrong", async (t) => {
  const cli = path.join(
    PACKAGE_TOOLS,
    "@arethetypeswrong/cli/dist/index.js",
  );
  const directory = temporaryDirectory(t);
  // Into a file: it ends before all is written into a pipe.
  const script = '"$0" "$@" --format json > analysis.json';
  const args = ["-c", script, NODE, cli, TARBALL];
  await run("/bin/sh", args, directory);
  const { analysis }: Analysis = JSON.parse(
    fs.readFileSync(path.join(directory, "analysis.json"), "utf8"),
  );
  assert.deepEqual(
    Object.keys(analysis.entrypoints),
    Object.keys(MANIFEST.exports),
  );
  const problems = analysis.problems
    .filter(({ resolutionKind }) => resolutionKind !== "node10")
    .map(({ kind, entrypoint, resolutionKind }) =>
      `${entrypoint} ${resolutionKind} ${kind}`
    );
  assert.deepEqual(problems, []);
});
