/**
 * Programs of TypeScript that use the package, compiled with both compilers
 * under every way to resolve modules: strictly, with the declarations of the
 * package checked, too, and with no types of a runtime but those that an entry
 * point is for.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { ROOT } from "../harness/hosts.ts";
import { temporaryDirectory } from "../harness/machine_tools.ts";
import { test } from "../harness/timed_test.ts";
import {
  copyConsumer,
  linkTool,
  NODE,
  npmProject,
  PACKAGE_TOOLS,
  run,
  succeed,
} from "./project.ts";

const COMPILERS = ["typescript", "typescript-7"];

/** A way to resolve modules. */
interface Resolution {
  readonly title: string;
  readonly type: "module" | "commonjs";
  readonly options: Readonly<Record<string, unknown>>;
}

const RESOLUTIONS: readonly Resolution[] = [
  ...(["nodenext", "node16"] as const).flatMap((module): Resolution[] => {
    const options = { module, moduleResolution: module };
    return [
      { title: `${module}, ES modules`, type: "module", options },
      { title: `${module}, CommonJS`, type: "commonjs", options },
    ];
  }),
  {
    title: "bundler",
    type: "module",
    options: { module: "esnext", moduleResolution: "bundler" },
  },
];

/** A program, and what it is compiled with. */
interface Consumer {
  readonly file: string;
  /** The packages of types that are installed. */
  readonly types: readonly string[];
  readonly lib?: readonly string[];
}

const NEUTRAL: Consumer = { file: "neutral.ts", types: [] };
/** A program for Node that knows nothing of a browser. */
const FOR_NODE: Consumer = {
  file: "node.ts",
  types: ["node"],
  lib: ["ESNext"],
};

/** Compiles; gives the errors. */
async function compile(
  directory: string,
  compiler: string,
  { file, types, lib }: Consumer,
  options: Resolution["options"],
): Promise<string[]> {
  fs.writeFileSync(
    path.join(directory, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "esnext",
        strict: true,
        skipLibCheck: false,
        noEmit: true,
        types,
        ...(lib && { lib }),
        ...options,
      },
      files: [file],
    }),
  );
  const tsc = path.join(PACKAGE_TOOLS, compiler, "bin/tsc");
  const { status, output } = await run(NODE, [tsc, "-p", "."], directory);
  // What is indented explains an error more; and a few errors tell enough.
  const errors = output.split("\n").filter((line) => /^\S/.test(line));
  assert.equal(status === 0, errors.length === 0, output);
  return errors.slice(0, 5);
}

/** A project with some programs, and types beside the package. */
async function project(
  t: TestContext,
  type: Resolution["type"],
  { file, types }: Consumer,
): Promise<string> {
  const directory = await npmProject(t, { type, files: [file] });
  for (const name of types) linkTool(`@types/${name}`, directory);
  return directory;
}

for (const consumer of [NEUTRAL, FOR_NODE]) {
  for (const resolution of RESOLUTIONS) {
    test(`${consumer.file} compiles under ${resolution.title}`, async (t) => {
      const directory = await project(t, resolution.type, consumer);
      for (const compiler of COMPILERS) {
        const errors = await compile(
          directory,
          compiler,
          consumer,
          resolution.options,
        );
        assert.deepEqual(errors, []);
      }
    });
  }
}

const FOR_BUN: Consumer = {
  file: "bun.ts",
  types: ["bun"],
  lib: ["ESNext"],
};
/** Deno's types as npm package build upon those of a browser. */
const FOR_DENO: Consumer = { file: "deno.ts", types: ["deno"] };

for (const consumer of [FOR_BUN, FOR_DENO]) {
  const { file } = consumer;
  test(`${file} compiles with the types of its runtime`, async (t) => {
    const directory = await project(t, "module", consumer);
    for (const compiler of COMPILERS) {
      for (const { type, options } of RESOLUTIONS) {
        if (type === "commonjs") continue;
        const errors = await compile(directory, compiler, consumer, options);
        assert.deepEqual(errors, []);
      }
    }
  });
}

test("a compiler finds what is wrong in a program", async (t) => {
  const directory = await project(t, "module", NEUTRAL);
  const file = path.join(directory, "neutral.ts");
  const code = fs.readFileSync(file, "utf8");
  fs.writeFileSync(file, code.replace('"stream-listener"', '"stream"'));
  for (const compiler of COMPILERS) {
    const { options } = RESOLUTIONS[0]!;
    const errors = await compile(directory, compiler, NEUTRAL, options);
    assert.match(errors.join("\n"), /^neutral\.ts\(.*: error TS2322: .*$/);
  }
});

/**
 * `deno pack` writes declarations of what is public only, a compiler all that a
 * file exports: so does dnt, which not every machine has.
 */
test("the declarations that a compiler makes of . need no types of a runtime", async (t) => {
  const directory = temporaryDirectory(t);
  fs.writeFileSync(
    path.join(directory, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "esnext",
        module: "nodenext",
        declaration: true,
        emitDeclarationOnly: true,
        rewriteRelativeImportExtensions: true,
        stripInternal: true,
        noCheck: true,
        types: [],
        rootDir: ROOT,
        outDir: path.join(directory, "made"),
      },
      files: [path.join(ROOT, "mod.ts"), path.join(ROOT, "src/core/mod.ts")],
    }),
  );
  const tsc = path.join(PACKAGE_TOOLS, "typescript/bin/tsc");
  await succeed(NODE, [tsc, "-p", "."], directory);
  copyConsumer("neutral.ts", directory);
  const consumer = path.join(directory, "neutral.ts");
  const code = fs.readFileSync(consumer, "utf8")
    .replace('"@listenfds/listenfds"', '"./made/mod.js"')
    .replace('"@listenfds/listenfds/core"', '"./made/src/core/mod.js"');
  fs.writeFileSync(consumer, code);
  fs.writeFileSync(path.join(directory, "package.json"), '{"type":"module"}');
  for (const compiler of COMPILERS) {
    const { options } = RESOLUTIONS[0]!;
    assert.deepEqual(await compile(directory, compiler, NEUTRAL, options), []);
  }
});
