/** What is in the package: all that is meant, and nothing else. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test, type TestContext } from "node:test";
import {
  entryFiles,
  reachable,
  specifiersOf,
} from "../../scripts/npm_files.ts";
import { ROOT, temporaryFolder } from "../e2e/harness.ts";
import {
  HAS_COMMONJS,
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
  const folder = temporaryFolder(t);
  await succeed("tar", ["-xzf", TARBALL, "-C", folder], folder);
  const root = path.join(folder, "package");
  const files = fs.readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => path.join(each.parentPath, each.name));
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
    [".", "./core", "./deno", "./bun", "./node", "./cli"],
  );
  assert.deepEqual(engines, { node: ">=22", bun: ">=1.2", deno: ">=2.3" });
  assert.deepEqual(Object.keys(bin), ["listenfds"]);
  assert.ok(MANIFEST["description"], "no description");
});

test("there is one dependency, of the version that is tested here", () => {
  const name = "@remix-run/node-fetch-server";
  const specifier: string = CONFIG.imports[name];
  const version = specifier.slice(specifier.lastIndexOf("@") + 1);
  assert.deepEqual(MANIFEST.dependencies, { [name]: version });
  const others = ["devDependencies", "peerDependencies", "scripts"];
  for (const field of [...others, "optionalDependencies"]) {
    assert.deepEqual(MANIFEST[field] ?? {}, {}, field);
  }
});

test("an entry point leads to each file, or it is for people", async (t) => {
  const code = await unpack(t);
  const needed = reachable(entryFiles(MANIFEST), code);
  const forPeople = ["CHANGELOG.md", "LICENSE", "README.md"];
  const others = [...code.keys()].filter((file) =>
    !needed.has(file) && !needed.has(file.replace(/\.js$/, ".d.ts"))
  );
  assert.deepEqual(
    others.filter((file) => path.basename(file) !== "package.json").sort(),
    forPeople,
  );
  const commands = Object.values(MANIFEST.bin).map((each) =>
    each.replace("./", "").replace(/\.js$/, ".d.ts")
  );
  for (const file of entryFiles(MANIFEST)) {
    // Nobody imports the program that is the command.
    if (commands.includes(file)) continue;
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

test("the code imports what every runtime has, and what it depends on", async (t) => {
  const outside = new Set<string>();
  for (const [file, text] of await unpack(t)) {
    if (!file.endsWith(".js") || file.includes("/cli/")) continue;
    for (const specifier of specifiersOf(text)) {
      if (!specifier.startsWith(".")) outside.add(specifier);
    }
  }
  assert.deepEqual([...outside], Object.keys(MANIFEST.dependencies));
});

test("there is no shim, no polyfill and no source map", async (t) => {
  for (const [file, text] of await unpack(t)) {
    assert.doesNotMatch(file, /shim|polyfill|\.map$/);
    if (!/\.js$/.test(file)) continue;
    assert.doesNotMatch(text, /shim|polyfill|sourceMappingURL/i, file);
    // For CommonJS it has to be replaced by something large.
    assert.doesNotMatch(text, /\bimport\.meta\b/, file);
  }
});

test("the tarball is smaller than 100 KiB", () => {
  const { size } = fs.statSync(TARBALL);
  assert.ok(size < 100 * 1024, `it has ${size} bytes`);
});

test("publint finds nothing", async (t) => {
  const cli = path.join(PACKAGE_TOOLS, "publint/src/cli.js");
  const args = [cli, "run", TARBALL, "--strict"];
  const output = await succeed(NODE, args, temporaryFolder(t));
  assert.match(output, /All good!/);
});

/** What `attw --format json` says. */
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

/**
 * Where `attw` finds types that are wrong, it is the module system of a package
 * without CommonJS, under `node16` in CommonJS. And resolution as in Node 10
 * knows no `exports`, which is nothing for a package that needs Node 22.
 */
test("the types are not wrong", async (t) => {
  const cli = path.join(
    PACKAGE_TOOLS,
    "@arethetypeswrong/cli/dist/index.js",
  );
  const args = [cli, TARBALL, "--format", "json"];
  const { output } = await run(NODE, args, temporaryFolder(t));
  const { analysis }: Analysis = JSON.parse(output);
  assert.deepEqual(
    Object.keys(analysis.entrypoints),
    Object.keys(MANIFEST.exports),
  );
  const found = analysis.problems
    .filter(({ resolutionKind }) => resolutionKind !== "node10")
    .map(({ kind, entrypoint, resolutionKind }) =>
      `${entrypoint} ${resolutionKind} ${kind}`
    );
  const wanted = HAS_COMMONJS
    ? []
    : Object.keys(MANIFEST.exports).map((entrypoint) =>
      `${entrypoint} node16-cjs CJSResolvesToESM`
    );
  assert.deepEqual(found, wanted);
});
