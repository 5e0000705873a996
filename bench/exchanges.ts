/**
 * How fast servers answer on an inherited socket, by what is asked for, and how
 * fast fetch handlers are on `node:http`, beside libraries for that.
 *
 * @module
 */

import { formatTable } from "../scripts/table.ts";
import type { Tool } from "../scripts/toolchain.ts";
import { commandOf, measurementsOf, readRounds } from "./command.ts";
import type { LoadName } from "./loads.ts";
import { requireWrk } from "./programs.ts";
import { describeMachine, readResults, writeResults } from "./results.ts";
import { formatSpread, type Spread, spreadOf } from "./spread.ts";
import type { Turn, TurnsPlan } from "./turns_host.ts";

const ROUNDS = readRounds(4);
const TURNS = 3;

/** Ways that are on a port of their own, without the library. */
const ON_PORT = new Set([
  "own",
  "again",
  "node:http",
  "node:http, emitted",
  "node:http, emitted, with both",
  "node:http with a Response",
  "node:http with a Request",
  "node:http with both",
  "conversion alone",
  "web streams alone",
  "srvx",
  "srvx with FastResponse",
  "@hono/node-server",
  "@hono/node-server with its globals",
]);

/** What is compared with the first way; the second is the same again. */
interface Comparison {
  readonly load: LoadName;
  readonly on: RegExp;
  readonly ways: readonly string[];
}

const SERVERS = ["own", "again", "adopted", "neutral", "portable"];

const EXCHANGES: readonly Comparison[] = [
  ...(["64 KiB answer", "1 MiB answer"] as const).flatMap((load) => [
    { load, on: /^(?:deno|bun)/, ways: SERVERS },
    { load, on: /^node/, ways: [...SERVERS, "node:http with both"] },
  ]),
  ...(["1 MiB upload", "JSON in and out"] as const)
    .map((load) => ({ load, on: /./, ways: SERVERS })),
  // Of the ways, only these upgrade, and Node has no server for it.
  {
    load: "WebSocket echo",
    on: /^(?:deno|bun)/,
    ways: ["own", "again", "adopted"],
  },
  { load: "raw echo", on: /^(?:deno|bun)/, ways: SERVERS },
  { load: "raw echo", on: /^node/, ways: [...SERVERS, "web streams alone"] },
];

const CONVERSIONS: readonly Comparison[] = [
  {
    load: "hello",
    on: /^node/,
    ways: [
      "node:http",
      "again",
      "node:http with a Response",
      "node:http with a Request",
      "node:http with both",
      "portable",
      "portable with FastResponse",
      "srvx",
      "srvx with FastResponse",
      "@hono/node-server",
      "@hono/node-server with its globals",
    ],
  },
  // What the rest of the library adds for each request.
  {
    load: "hello",
    on: /^node/,
    ways: ["conversion alone", "again", "portable"],
  },
  {
    load: "hello",
    on: /^deno/,
    ways: [
      "node:http",
      "again",
      "node:http, emitted",
      "node:http, emitted, with both",
      "portable",
    ],
  },
  // What it gets as events, Bun parses in JavaScript.
  {
    load: "hello",
    on: /^bun/,
    ways: [
      "node:http, emitted",
      "again",
      "node:http",
      "node:http, emitted, with both",
      "portable",
    ],
  },
];

/** How one way compares with the first. */
interface Row {
  readonly runtime: string;
  readonly load: LoadName;
  readonly way: string;
  /** The way that it is compared with. */
  readonly to: string;
  /** The median, in a second. */
  readonly perSecond: number;
  readonly ratio: Spread;
  readonly errors: number;
  /** How many rounds there were. */
  readonly rounds: number;
}

/** Measures bodies, WebSockets and raw sockets, and writes the results. */
export function benchExchanges(tools: readonly Tool[]): Promise<void> {
  return compareAll(tools, EXCHANGES, "exchanges.json");
}

/** Measures fetch handlers on `node:http`, and writes the results. */
export function benchConversion(tools: readonly Tool[]): Promise<void> {
  return compareAll(tools, CONVERSIONS, "conversion.json");
}

async function compareAll(
  tools: readonly Tool[],
  comparisons: readonly Comparison[],
  file: string,
): Promise<void> {
  await requireWrk();
  const node = tools.find(({ label }) => label === "node 24")!;
  const measured = tools.filter((tool) =>
    tool.runtime !== "node" || tool === node
  );
  const only = Deno.env.get("BENCH_ONLY");
  const before = only === undefined
    ? { rows: [] }
    : await readResults(file, { rows: [] }) as { readonly rows: Row[] };
  const rows: Row[] = [];
  for (const comparison of comparisons) {
    for (const tool of measured) {
      if (!comparison.on.test(tool.label)) continue;
      const title = `${comparison.load} on ${tool.label}`;
      if (only !== undefined && title !== only) {
        rows.push(
          ...before.rows.filter(({ load, runtime, way, to }) =>
            load === comparison.load && runtime === tool.label &&
            to === comparison.ways[0] && comparison.ways.includes(way)
          ),
        );
        continue;
      }
      console.log(title);
      rows.push(...await compare(tool, node, comparison));
    }
  }
  if (
    only !== undefined &&
    !rows.some(({ load, runtime }) => `${load} on ${runtime}` === only)
  ) throw new Error(`BENCH_ONLY: found no measurement ${JSON.stringify(only)}`);
  print(rows);
  await writeResults({
    [file]: JSON.stringify(
      { ...describeMachine(measured), turns: TURNS, rows },
      null,
      2,
    ),
  });
}

async function compare(
  tool: Tool,
  node: Tool,
  { load, ways }: Comparison,
): Promise<Row[]> {
  const prefix = load === "raw echo" ? "raw " : "";
  const plan: TurnsPlan = {
    load,
    servers: ways.map((way) => ({
      way,
      command: commandOf(
        tool,
        "exchanges_server.ts",
        `${prefix}${way === "again" ? ways[0] : way}`,
      ),
      isOnPort: ON_PORT.has(way),
    })),
    rounds: ROUNDS,
    turns: TURNS,
  };
  const turns: Turn[] = [];
  const measurements = measurementsOf<Turn>(
    commandOf(node, "turns_host.ts"),
    { LISTENFDS_PLAN: JSON.stringify(plan) },
    load,
  );
  for await (const turn of measurements) turns.push(turn);
  const turnsOf = (way: string) => turns.filter((turn) => turn.way === way);
  const first = turnsOf(ways[0]!);
  return ways.map((way) => {
    const own = turnsOf(way);
    const rates = own.map(({ perSecond }) => perSecond);
    return {
      runtime: tool.label,
      load,
      way,
      to: ways[0]!,
      perSecond: Math.round(spreadOf(rates).median),
      ratio: spreadOf(rates.map((rate, at) => rate / first[at]!.perSecond)),
      errors: own.reduce((sum, { errors }) => sum + errors, 0),
      rounds: ROUNDS,
    };
  });
}

function print(rows: readonly Row[]): void {
  console.log(formatTable(
    ["runtime", "load", "way", "per second", "ratio", "failed"],
    rows.map(({ runtime, load, way, perSecond, ratio, errors }) => [
      runtime,
      load,
      way,
      perSecond.toLocaleString("en"),
      formatSpread(ratio),
      String(errors),
    ]),
  ));
}
