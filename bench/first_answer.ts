/**
 * How long a program takes from its start to its first answer: with the installed
 * npm package, and with the sources as JSR has them, relative to a port of its own.
 *
 * @module
 */

import { join } from "node:path";
import { formatTable } from "../scripts/table.ts";
import type { Tool } from "../scripts/toolchain.ts";
import { commandOf, measurementsOf, readRounds } from "./command.ts";
import type { FirstAnswer, FirstAnswerPlan } from "./first_answer_host.ts";
import { LEAST_ADOPTION } from "./least_adoption.ts";
import { formatSpread, type Spread, spreadOf } from "./spread.ts";

/** Turns in which each program has been started. */
const TURNS = readRounds(20);

const PACKAGE = "@listenfds/listenfds";
const NODE_ANSWER = `response.setHeader("content-type", "text/plain");
  response.end("hello");`;

/** The programs, which answer "hello", by runtime and name. */
const PROGRAMS: Readonly<Record<Tool["runtime"], Record<string, string>>> = {
  deno: {
    own: `Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.args[0]),
  onListen() {},
}, () => new Response("hello"));
`,
    least: LEAST_ADOPTION.deno,
    adopted: `import { serve } from "${PACKAGE}/deno";
await serve("web", () => new Response("hello"));
`,
    neutral: `import { serve } from "${PACKAGE}";
await serve("web", () => new Response("hello"));
`,
  },
  bun: {
    own: `Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  fetch: () => new Response("hello"),
});
`,
    least: LEAST_ADOPTION.bun,
    adopted: `import { serve } from "${PACKAGE}/bun";
await serve("web", { fetch: () => new Response("hello") });
`,
    neutral: `import { serve } from "${PACKAGE}";
await serve("web", () => new Response("hello"));
`,
  },
  node: {
    own: `import { createServer } from "node:http";
createServer((request, response) => {
  ${NODE_ANSWER}
}).listen(Number(process.argv[2]), "127.0.0.1");
`,
    // The runtime loads fetch when a program creates the first response.
    "own-response": `import { createServer } from "node:http";
createServer(async (request, response) => {
  const answer = new Response("hello");
  response.setHeader("content-type", answer.headers.get("content-type"));
  response.end(await answer.text());
}).listen(Number(process.argv[2]), "127.0.0.1");
`,
    adopted: `import { createServer } from "node:http";
import { listen } from "${PACKAGE}/node";
await listen(createServer((request, response) => {
  ${NODE_ANSWER}
}), "web");
`,
    neutral: `import { serve } from "${PACKAGE}";
await serve("web", () => new Response("hello"));
`,
  },
};

/** Fills the compile cache, which Node writes when a program ends by itself. */
const FILL_CACHE = `import { createServer } from "node:http";
import { serve } from "${PACKAGE}";
import { listen } from "${PACKAGE}/node";
const options = { fallback: { hostname: "127.0.0.1", port: 0 } };
await Promise.all([
  serve("web", options, () => new Response("hello")),
  listen(createServer(), "admin", options),
]);
process.exit();
`;

/** What is compared; the second has a port of its own. */
const COMPARISONS: readonly {
  readonly label: string;
  readonly way: string;
  readonly to: string;
  readonly on: RegExp;
  /** Only a control has none. */
  readonly most?: number;
}[] = [
  { label: "own port, again", way: "again", to: "own", on: /./ },
  { label: "adopting alone", way: "least", to: "own", on: /^(?:deno|bun)/ },
  { label: "./deno", way: "adopted", to: "own", on: /^deno/, most: 1.1 },
  { label: "./deno, JSR", way: "jsr-adopted", to: "own", on: /^deno/ },
  { label: "./bun", way: "adopted", to: "own", on: /^bun/, most: 1.1 },
  { label: "./node", way: "adopted", to: "own", on: /^node/, most: 1.1 },
  { label: ".", way: "neutral", to: "own", on: /^(?:deno|bun)/ },
  { label: "., JSR", way: "jsr-neutral", to: "own", on: /^deno/ },
  { label: ".", way: "neutral", to: "own-response", on: /^node/, most: 1.1 },
  {
    label: "./node, compile cache",
    way: "cached-adopted",
    to: "cached-own",
    on: /^node/,
  },
  {
    label: "., compile cache",
    way: "cached-neutral",
    to: "cached-own-response",
    on: /^node/,
  },
];

/** The ratios of pairs that were started one after the other. */
export interface FirstAnswerRatio {
  readonly runtime: string;
  readonly entryPoint: string;
  readonly wall: Spread;
  readonly cpu: Spread;
  /** Median times in milliseconds. */
  readonly milliseconds: Readonly<
    Record<"wall" | "cpu" | "ownWall" | "ownCpu", number>
  >;
}

/**
 * Measures on every runtime, and prints the ratios.
 *
 * @param directory A project with the package in `node_modules`.
 */
export async function measureFirstAnswers(
  tools: readonly Tool[],
  directory: string,
): Promise<FirstAnswerRatio[]> {
  const ratios: FirstAnswerRatio[] = [];
  for (const tool of tools) {
    const programs = await writePrograms(tool, directory);
    const plan: FirstAnswerPlan = { programs, turns: TURNS };
    const measurements: FirstAnswer[] = [];
    for await (
      const measurement of measurementsOf<FirstAnswer>(
        commandOf(
          tools.find(({ label }) => label === "node 24")!,
          "first_answer_host.ts",
        ),
        { LISTENFDS_PLAN: JSON.stringify(plan) },
        "the first answer",
      )
    ) {
      measurements.push(measurement);
    }
    ratios.push(...compare(tool.label, measurements));
  }
  print(ratios);
  return ratios;
}

/** Writes the programs of a runtime, and returns their command lines. */
async function writePrograms(
  { runtime, path }: Tool,
  directory: string,
): Promise<FirstAnswerPlan["programs"]> {
  const commands = new Map<string, string[]>();
  const cached = runtime === "node" && await withCache(path, directory);
  for (const [name, code] of Object.entries(PROGRAMS[runtime])) {
    const file = join(directory, `${runtime}-${name}.mjs`);
    await Deno.writeTextFile(file, code);
    const flags = runtime === "deno" ? ["run", "-A", "--no-lock"] : [];
    commands.set(name, [path, ...flags, file]);
    if (cached) commands.set(`cached-${name}`, [...cached, file]);
    if (runtime !== "deno" || !code.includes(PACKAGE)) continue;
    const sources = join(directory, "jsr");
    await Deno.mkdir(sources, { recursive: true });
    const copy = join(sources, `${name}.mjs`);
    await Deno.writeTextFile(copy, code);
    commands.set(`jsr-${name}`, [path, ...flags, copy]);
  }
  if (runtime === "deno") await writeImports(join(directory, "jsr"));
  commands.set("again", commands.get("own")!);
  return [...commands].map(([way, command]) => ({
    way,
    command,
    isOnPort: /^(?:cached-)?own/.test(way) || way === "again",
  }));
}

/** Returns the command line of Node with a compile cache, which is filled. */
async function withCache(node: string, directory: string): Promise<string[]> {
  const cache = join(directory, "compile-cache");
  const file = join(directory, "fill-cache.mjs");
  await Deno.writeTextFile(file, FILL_CACHE);
  const [program, ...args] = ["env", `NODE_COMPILE_CACHE=${cache}`, node];
  const { success } = await new Deno.Command(program!, {
    args: [...args, file],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`Filling the compile cache of ${node} failed`);
  return [program!, ...args];
}

/** Maps the package's name to the sources, which JSR has as they are. */
async function writeImports(directory: string): Promise<void> {
  const root = new URL("../", import.meta.url);
  const { exports } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", root)),
  ) as { exports: Record<string, string> };
  const imports = Object.fromEntries(
    Object.entries(exports).map(([name, path]) => [
      `${PACKAGE}${name.slice(1)}`,
      new URL(path, root).href,
    ]),
  );
  const config = JSON.stringify({ imports });
  await Deno.writeTextFile(join(directory, "deno.json"), config);
}

function compare(
  runtime: string,
  measurements: readonly FirstAnswer[],
): FirstAnswerRatio[] {
  const timesOf = (way: string, time: "wall" | "cpu") =>
    measurements.filter((each) => each.way === way).map((each) => each[time]);
  return COMPARISONS.filter(({ on }) => on.test(runtime)).map(
    ({ label, way, to }) => {
      const ratio = (time: "wall" | "cpu") => {
        const own = timesOf(to, time);
        return spreadOf(timesOf(way, time).map((each, at) => each / own[at]!));
      };
      const middle = (name: string, time: "wall" | "cpu") =>
        Number(spreadOf(timesOf(name, time)).median.toPrecision(4));
      return {
        runtime,
        entryPoint: label,
        wall: ratio("wall"),
        cpu: ratio("cpu"),
        milliseconds: {
          wall: middle(way, "wall"),
          cpu: middle(way, "cpu"),
          ownWall: middle(to, "wall"),
          ownCpu: middle(to, "cpu"),
        },
      };
    },
  );
}

function print(ratios: readonly FirstAnswerRatio[]): void {
  console.log(`\nFirst answer / on a port of its own, in ${TURNS} turns:`);
  console.log(formatTable(
    ["runtime", "entry point", "own ms", "ms", "time", "CPU time"],
    ratios.map(({ runtime, entryPoint, wall, cpu, milliseconds }) => [
      runtime,
      entryPoint,
      milliseconds.ownWall.toFixed(1),
      milliseconds.wall.toFixed(1),
      formatSpread(wall),
      formatSpread(cpu),
    ]),
  ));
  const missed = ratios.filter(({ runtime, entryPoint, wall }) => {
    const expected = COMPARISONS.find(({ label, on }) =>
      label === entryPoint && on.test(runtime)
    );
    return wall.median > (expected?.most ?? Infinity);
  });
  console.log(
    `\nat most 1.10: ${
      missed.length === 0
        ? "yes"
        : `NO: ${
          missed.map(({ runtime, entryPoint }) => `${entryPoint} on ${runtime}`)
            .join(", ")
        }`
    }`,
  );
}
