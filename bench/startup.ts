/**
 * How long a program takes that imports the npm package and ends, beside one that
 * is empty; and how long until the first answer.
 *
 * @module
 */

import { join } from "node:path";
import { denoBuild, denoPack } from "../scripts/pack.ts";
import { formatTable } from "../scripts/table.ts";
import { packageToolchain, type Tool } from "../scripts/toolchain.ts";
import { readRounds } from "./command.ts";
import { measureFirstAnswers } from "./first_answer.ts";
import { describeMachine, writeResults } from "./results.ts";

/** The programs, and what they do. */
const PROGRAMS = {
  empty: "",
  /** The package as it is shipped. */
  package: 'import "@listenfds/listenfds";\n',
  /** The same code before its modules are joined. */
  modules: 'import "listenfds-modules";\n',
};

type Name = keyof typeof PROGRAMS;

const NAMES = Object.keys(PROGRAMS) as Name[];
const ROUNDS = readRounds(25);
const WARMUP_ROUNDS = 3;

/**
 * Measures on every runtime, and prints the times.
 *
 * @param tools The runtimes.
 */
export async function benchStartup(tools: readonly Tool[]): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "listenfds-startup-" });
  try {
    await prepare(directory, tools);
    const results: { tool: Tool; times: Record<Name, number> }[] = [];
    for (const tool of tools) {
      results.push({ tool, times: await measure(tool, directory) });
    }
    console.log(`Programs that end at once, medians of ${ROUNDS}:`);
    console.log(formatTable(
      [
        "runtime",
        "empty ms",
        "package ms",
        "/ empty",
        "a file for each module ms",
        "/ empty",
      ],
      results.map(({ tool, times }) => [
        tool.label,
        times.empty.toFixed(1),
        times.package.toFixed(1),
        (times.package / times.empty).toFixed(2),
        times.modules.toFixed(1),
        (times.modules / times.empty).toFixed(2),
      ]),
    ));
    const shares = results.map((
      { times: { empty, package: joined, modules } },
    ) => (joined - empty) / (modules - empty)).sort((a, b) => a - b);
    const worst = shares.at(-1)!;
    console.log(
      `\nJoining the modules pays: ${worst < 0.75 ? "yes" : "NO"}: importing ` +
        `the package takes ${shares[0]!.toFixed(2)} to ${
          worst.toFixed(2)
        } of ` +
        `the time that it takes with a file for each module`,
    );
    const firstAnswers = await measureFirstAnswers(tools, directory);
    await writeResults({
      "startup.json": JSON.stringify(
        {
          ...describeMachine(tools),
          imports: results.map(({ tool, times }) => ({
            runtime: tool.label,
            ...times,
          })),
          firstAnswers,
        },
        null,
        2,
      ),
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Creates a project with the package: installed, and before it is finished. */
async function prepare(
  directory: string,
  runtimes: readonly Tool[],
): Promise<void> {
  const modules = join(directory, "node_modules");
  const installed = join(modules, "@listenfds/listenfds");
  await Deno.mkdir(installed, { recursive: true });
  const tools = await packageToolchain();
  const node = runtimes.find(({ label }) => label === "node 24")!;
  const tarball = await denoPack(directory, node, tools);
  await run("tar", "-xzf", tarball, "-C", installed, "--strip-components=1");
  const building = await Deno.makeTempDir({ dir: directory });
  const built = await denoBuild(building, tools);
  await Deno.rename(built, join(modules, "listenfds-modules"));
  await Deno.writeTextFile(join(directory, "package.json"), "{}");
  for (const [name, code] of Object.entries(PROGRAMS)) {
    await Deno.writeTextFile(join(directory, `${name}.mjs`), code);
  }
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, {
    args,
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`Preparing a project with ${program} failed`);
}

/** The median time of each program; they take turns. */
async function measure(
  tool: Tool,
  directory: string,
): Promise<Record<Name, number>> {
  const times: Record<Name, number[]> = { empty: [], package: [], modules: [] };
  for (let round = -WARMUP_ROUNDS; round < ROUNDS; round++) {
    for (const name of NAMES) {
      const time = await timeOf(tool, directory, `${name}.mjs`);
      if (round >= 0) times[name].push(time);
    }
  }
  const median = (name: Name) =>
    times[name].sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
  return {
    empty: median("empty"),
    package: median("package"),
    modules: median("modules"),
  };
}

async function timeOf(
  { runtime, path, label }: Tool,
  directory: string,
  script: string,
): Promise<number> {
  const flags = runtime === "deno" ? ["run", "--no-lock"] : [];
  const start = performance.now();
  const { success } = await new Deno.Command(path, {
    args: [...flags, script],
    cwd: directory,
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).output();
  const time = performance.now() - start;
  if (!success) throw new Error(`Starting ${script} on ${label} failed`);
  return time;
}
