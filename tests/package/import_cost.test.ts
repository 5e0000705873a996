/**
 * What importing the package costs: which files each runtime opens for it, and
 * that it looks at nothing else before a descriptor needs it.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { entryFiles, reachable } from "../../scripts/npm_files.ts";
import {
  DENO_PERMISSIONS,
  forEachHost,
  ROOT,
  type Tool,
  TOOLS,
} from "../harness/hosts.ts";
import {
  findProgram,
  missingProgram,
  temporaryDirectory,
} from "../harness/machine_tools.ts";
import { test } from "../harness/timed_test.ts";
import { MANIFEST, npmProject, run, succeed } from "./project.ts";

const CONFIG: { readonly exports: Readonly<Record<string, string>> } = JSON
  .parse(fs.readFileSync(path.join(ROOT, "deno.json"), "utf8"));

const STRACE = findProgram("strace");
const skip = missingProgram("strace");

const PROGRAMS = {
  empty: "",
  imports: 'import "@listenfds/listenfds";\n',
  requires: 'require("@listenfds/listenfds");\n',
  asks: 'import { activation } from "@listenfds/listenfds";\n' +
    'if (activation() !== null) throw new Error("activated");\n',
};

/** Runs a program; gives what it opened, connected to and executed. */
async function traced(
  t: TestContext,
  { path: program, runtime }: Tool,
  directory: string,
  script: string,
): Promise<Set<string>> {
  const log = path.join(temporaryDirectory(t), "log");
  const calls = "open,openat,openat2,connect,execve,readlink,readlinkat";
  const strace = [
    "-f",
    "-qq",
    // What isn't there costs nothing to speak of.
    "-z",
    "-s",
    "4096",
    "-e",
    `trace=${calls}`,
    "-o",
    log,
  ];
  const flags = runtime === "deno"
    ? ["run", "--no-lock", ...DENO_PERMISSIONS]
    : [];
  // What a runtime keeps of modules that it has compiled is its own matter.
  const cache = path.join(directory, "cache");
  const env = {
    BUN_INSTALL_CACHE_DIR: cache,
    BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0",
    DENO_DIR: cache,
    DENO_NO_UPDATE_CHECK: "1",
  };
  const args = [...strace, program, ...flags, script];
  const { status, output } = await run(STRACE!, args, directory, env);
  assert.equal(status, 0, output);
  const found = new Set<string>();
  for (const line of fs.readFileSync(log, "utf8").split("\n")) {
    const [, file] = /"((?:[^"\\]|\\.)*)"/.exec(line) ?? [];
    if (file === undefined) continue;
    const full = path.resolve(directory, file);
    if (!`${full}/`.startsWith(`${cache}/`)) found.add(full);
  }
  assert.ok(
    found.has(path.join(directory, script)),
    "the program was not opened",
  );
  return found;
}

/** Returns the files that a program opens beyond those of an empty one. */
async function opensMore(
  t: TestContext,
  tool: Tool,
  directory: string,
  script: string,
): Promise<string[]> {
  const extension = path.extname(script);
  const scripts = [`empty${extension}`, script];
  const base = await traced(t, tool, directory, scripts[0]!);
  const found = await traced(t, tool, directory, scripts[1]!);
  return [...found].filter((file) => !base.has(file))
    .filter((file) => file !== path.join(directory, script))
    // What a runtime may ask now and then: of the machine, and of itself.
    .filter((file) =>
      !file.startsWith("/sys/devices/system/cpu/") &&
      file !== "/proc/sys/vm/overcommit_memory" &&
      file !== "/proc/self/exe" && file !== fs.realpathSync(tool.path)
    );
}

async function project(t: TestContext): Promise<string> {
  const directory = await npmProject(t, { files: [] });
  for (const [name, code] of Object.entries(PROGRAMS)) {
    for (const extension of ["mjs", "cjs"]) {
      fs.writeFileSync(path.join(directory, `${name}.${extension}`), code);
    }
  }
  return directory;
}

/** The files of the package that an entry point leads to. */
function filesOf(directory: string, entry: unknown): Set<string> {
  const root = path.join(directory, "node_modules", MANIFEST.name);
  const code = new Map(
    (fs.readdirSync(root, { recursive: true }) as string[])
      .filter((file) => file.endsWith(".js"))
      .map((file) => [
        file,
        // What is imported when it is needed isn't opened before.
        fs.readFileSync(path.join(root, file), "utf8")
          .replace(/\bimport\(/g, "later("),
      ]),
  );
  const files = entryFiles({ exports: { ".": entry } })
    .filter((file) => file.endsWith(".js"));
  return new Set(
    [...reachable(files, code)].map((file) => path.join(root, file)),
  );
}

/** Checks that a program opens what `.` needs of the package, and no more. */
function assertOpensOnly(
  found: readonly string[],
  directory: string,
  wanted: ReadonlySet<string>,
): void {
  const files = found.filter((file) => /\.[cm]?js$/.test(file));
  assert.deepEqual(files.sort(), [...wanted].sort());
  const others = found.filter((file) => !/\.[cm]?js$/.test(file));
  // Directories on the way, and `package.json` in them, for the type of modules.
  for (const other of others) {
    const isOnTheWay = [...wanted].some((file) =>
      `${path.dirname(file)}/`.startsWith(
        `${other.replace(/\/package\.json$/, "")}/`,
      )
    );
    assert.ok(isOnTheWay, `${other} was opened in ${directory}`);
  }
}

forEachHost(TOOLS, (tool) => {
  test(
    `${tool.label} opens the files of . when it imports it`,
    { skip },
    async (t) => {
      const directory = await project(t);
      const { require: _, ...imported } = MANIFEST.exports["."]!;
      const wanted = filesOf(directory, imported);
      assert.ok(wanted.size > 0 && wanted.size <= 6, `${wanted.size} files`);
      for (const script of ["imports.mjs", "asks.mjs"]) {
        const found = await opensMore(t, tool, directory, script);
        assertOpensOnly(found, directory, wanted);
      }
    },
  );
});

forEachHost(TOOLS.filter(({ runtime }) => runtime === "node"), (tool) => {
  test(
    `${tool.label} opens the files of . when it requires it`,
    { skip },
    async (t) => {
      const directory = await project(t);
      const entry = MANIFEST.exports["."]!;
      const wanted = filesOf(directory, entry.require ?? entry.import);
      const found = await opensMore(t, tool, directory, "requires.cjs");
      assertOpensOnly(found, directory, wanted);
    },
  );
});

test("what . leads to has nothing of other entry points", async (t) => {
  const directory = await project(t);
  for (const file of filesOf(directory, MANIFEST.exports["."]!.import)) {
    const code = withoutComments(fs.readFileSync(file, "utf8"));
    for (const call of ["Deno.serve(", "Deno.listen(", "parseArgs("]) {
      assert.ok(!code.includes(call), `${file} has ${call}`);
    }
  }
});

function withoutComments(code: string): string {
  return code.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
}

/** Returns the modules that a module of the sources leads to at once. */
function modulesOf(entry: string): Set<string> {
  const files = fs.readdirSync(path.join(ROOT, "src"), { recursive: true })
    .map((file) => path.join("src", String(file)))
    .filter((file) => file.endsWith(".ts"));
  const code = new Map(["mod.ts", ...files].map((file) => [
    file,
    fs.readFileSync(path.join(ROOT, file), "utf8")
      .replace(/\bimport\(/g, "later(")
      .replace(/^(?:import|export) type [^;]*;/gm, ""),
  ]));
  return reachable([entry], code);
}

for (const [entry, source] of Object.entries(CONFIG.exports)) {
  // These load modules of servers that they don't use; a program that imports
  // `./notify` mostly has servers.
  if (["./cli", "./preload", "./notify"].includes(entry)) continue;
  test(`${entry} loads no module that it doesn't need`, async (t) => {
    const directory = await project(t);
    const needed = modulesOf(path.normalize(source));
    const loaded = [...filesOf(directory, MANIFEST.exports[entry]!.import)]
      .flatMap((file) => {
        const [banner] = fs.readFileSync(file, "utf8").split(" */", 1);
        return [...banner!.matchAll(/^ \* {3}(.*)$/gm)].map(([, name]) =>
          name!
        );
      });
    assert.ok(loaded.includes(path.normalize(source)));
    // All of `./core` is one file: `.` exports nearly all of it.
    const others = loaded.filter((name) =>
      !needed.has(name) && !name.startsWith("src/core/")
    );
    assert.deepEqual(others, []);
  });
}

/**
 * On JSR each module stays a file of its own. `activation()` answers at once, so
 * it can't load its shim then; top-level await is no way, nor are conditions of
 * imports, which JSR has none of. That leaves the small shims of the others.
 */
test("on JSR, . leads to three modules that Deno doesn't use", async () => {
  const deno = TOOLS.find(({ runtime }) => runtime === "deno")!;
  const args = ["info", "--json", "mod.ts"];
  const output = await succeed(deno.path, args, ROOT, { NO_COLOR: "1" });
  const { modules, roots } = JSON.parse(output.slice(output.indexOf("{"))) as {
    modules: {
      specifier: string;
      dependencies?: {
        code?: { specifier: string };
        isDynamic?: boolean;
      }[];
    }[];
    roots: string[];
  };
  // Deno reads what is imported later, too, but it doesn't run it.
  const reached = new Set<string>();
  const visit = (specifier: string): void => {
    if (reached.has(specifier)) return;
    reached.add(specifier);
    const found = modules.find((module) => module.specifier === specifier);
    for (const { code, isDynamic } of found?.dependencies ?? []) {
      if (code !== undefined && !isDynamic) visit(code.specifier);
    }
  };
  roots.forEach(visit);
  const files = [...reached].map((specifier) =>
    specifier.replace(/^.*?\/(?=src\/|mod\.ts)/, "")
  );
  assert.ok(
    files.includes("src/runtime/deno/platform.ts"),
    "the modules are missing",
  );
  // Deno uses the rest of Node's directory, too: it is the portable path.
  const others = files.filter((file) =>
    /\/(?:bun|node|deno|cli)(?:\/|[._])/.test(file) &&
    !/^src\/runtime\/node\/(?!platform)/.test(file)
  );
  assert.deepEqual(others.sort(), [
    "src/ffi/bun.ts",
    "src/ffi/deno.ts",
    "src/ffi/node.ts",
    "src/runtime/bun/platform.ts",
    "src/runtime/deno/platform.ts",
    "src/runtime/deno/signals.ts",
    "src/runtime/deno/static_body.ts",
    "src/runtime/deno/wake_listener.ts",
    "src/runtime/node/platform.ts",
  ]);
});
