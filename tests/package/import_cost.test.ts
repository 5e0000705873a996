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
  folder: string,
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
  const cache = path.join(folder, "cache");
  const env = {
    BUN_INSTALL_CACHE_DIR: cache,
    BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0",
    DENO_DIR: cache,
    DENO_NO_UPDATE_CHECK: "1",
  };
  const args = [...strace, program, ...flags, script];
  const { status, output } = await run(STRACE!, args, folder, env);
  assert.equal(status, 0, output);
  const found = new Set<string>();
  for (const line of fs.readFileSync(log, "utf8").split("\n")) {
    const [, file] = /"((?:[^"\\]|\\.)*)"/.exec(line) ?? [];
    if (file === undefined) continue;
    const full = path.resolve(folder, file);
    if (!`${full}/`.startsWith(`${cache}/`)) found.add(full);
  }
  assert.ok(found.has(path.join(folder, script)), "the program was not opened");
  return found;
}

/** What the second of two programs opened more. */
async function opensMore(
  t: TestContext,
  tool: Tool,
  folder: string,
  script: string,
): Promise<string[]> {
  const extension = path.extname(script);
  const scripts = [`empty${extension}`, script];
  const base = await traced(t, tool, folder, scripts[0]!);
  const found = await traced(t, tool, folder, scripts[1]!);
  return [...found].filter((each) => !base.has(each))
    .filter((each) => each !== path.join(folder, script))
    // What a runtime may ask now and then: of the machine, and of itself.
    .filter((each) =>
      !each.startsWith("/sys/devices/system/cpu/") &&
      each !== "/proc/sys/vm/overcommit_memory" &&
      each !== "/proc/self/exe" && each !== fs.realpathSync(tool.path)
    );
}

async function project(t: TestContext): Promise<string> {
  const folder = await npmProject(t, { files: [] });
  for (const [name, code] of Object.entries(PROGRAMS)) {
    for (const extension of ["mjs", "cjs"]) {
      fs.writeFileSync(path.join(folder, `${name}.${extension}`), code);
    }
  }
  return folder;
}

/** The files of the package that an entry point leads to. */
function filesOf(folder: string, entry: unknown): Set<string> {
  const root = path.join(folder, "node_modules", MANIFEST.name);
  const code = new Map(
    (fs.readdirSync(root, { recursive: true }) as string[])
      .filter((each) => each.endsWith(".js"))
      .map((each) => [
        each,
        // What is imported when it is needed isn't opened before.
        fs.readFileSync(path.join(root, each), "utf8")
          .replace(/\bimport\(/g, "later("),
      ]),
  );
  const files = entryFiles({ exports: { ".": entry } })
    .filter((each) => each.endsWith(".js"));
  return new Set(
    [...reachable(files, code)].map((each) => path.join(root, each)),
  );
}

/** Checks that a program opens what `.` needs of the package, and no more. */
function assertOpensOnly(
  found: readonly string[],
  folder: string,
  wanted: ReadonlySet<string>,
): void {
  const files = found.filter((each) => /\.[cm]?js$/.test(each));
  assert.deepEqual(files.sort(), [...wanted].sort());
  const others = found.filter((each) => !/\.[cm]?js$/.test(each));
  // Folders on the way, and `package.json` in them, for the type of modules.
  for (const each of others) {
    const isOnTheWay = [...wanted].some((file) =>
      `${path.dirname(file)}/`.startsWith(
        `${each.replace(/\/package\.json$/, "")}/`,
      )
    );
    assert.ok(isOnTheWay, `${each} was opened in ${folder}`);
  }
}

forEachHost(TOOLS, (tool) => {
  test(
    `${tool.label} opens the files of . when it imports it`,
    { skip },
    async (t) => {
      const folder = await project(t);
      const { require: _, ...imported } = MANIFEST.exports["."]!;
      const wanted = filesOf(folder, imported);
      assert.ok(wanted.size > 0 && wanted.size <= 12, `${wanted.size} files`);
      for (const script of ["imports.mjs", "asks.mjs"]) {
        const found = await opensMore(t, tool, folder, script);
        assertOpensOnly(found, folder, wanted);
      }
    },
  );
});

forEachHost(TOOLS.filter(({ runtime }) => runtime === "node"), (tool) => {
  test(
    `${tool.label} opens the files of . when it requires it`,
    { skip },
    async (t) => {
      const folder = await project(t);
      const entry = MANIFEST.exports["."]!;
      const wanted = filesOf(folder, entry.require ?? entry.import);
      const found = await opensMore(t, tool, folder, "requires.cjs");
      assertOpensOnly(found, folder, wanted);
    },
  );
});

test("what . leads to has nothing of other entry points", async (t) => {
  const folder = await project(t);
  for (const file of filesOf(folder, MANIFEST.exports["."]!.import)) {
    const code = fs.readFileSync(file, "utf8");
    for (const call of ["Deno.serve(", "Deno.listen(", "parseArgs("]) {
      assert.ok(!code.includes(call), `${file} has ${call}`);
    }
  }
});

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
    const found = modules.find((each) => each.specifier === specifier);
    for (const { code, isDynamic } of found?.dependencies ?? []) {
      if (code !== undefined && !isDynamic) visit(code.specifier);
    }
  };
  roots.forEach(visit);
  const files = [...reached].map((specifier) =>
    specifier.replace(/^.*?\/(?=src\/|mod\.ts)/, "")
  );
  assert.ok(files.includes("src/runtime/deno.ts"), "the modules are missing");
  assert.deepEqual(
    files.filter((each) => /\/(?:bun|node|deno|cli)(?:\/|[._])/.test(each))
      .sort(),
    [
      "src/libc/bun.ts",
      "src/libc/deno.ts",
      "src/libc/node.ts",
      "src/runtime/bun.ts",
      "src/runtime/deno.ts",
      // Of which the shim for Deno uses the most.
      "src/runtime/node.ts",
    ],
  );
});
