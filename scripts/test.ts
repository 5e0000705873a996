/**
 * Runs the tests on every runtime, and counts them all:
 *
 *     deno run -A scripts/test.ts [unit] [e2e] [matrix] [systemd]
 *         [systemd-differences] [package] [systemd-newer] [systemd-newest]
 *         [restarts] [long] [apps] [fallback] [docs] [arm64] [musl]
 *         [containers] [managers] [debian-units]
 *
 * The portable suite in tests/unit runs on each runtime; the end-to-end tests
 * run on Node 24 and start each runtime as a service, and those of the runtimes'
 * own servers older versions, too. Those in tests/systemd do the same with the
 * units of a real systemd: `systemd` with that of this machine, `systemd-newer`
 * with that of a later Debian, `systemd-newest` with the newest one, and
 * `systemd-differences` only what differs with a later one.
 *
 * By default, `e2e` and `systemd` run on one version of each runtime, and `matrix`
 * on the oldest of each and the newest of Node; one that is named runs on all. Not
 * run by default are `systemd-newer` and `systemd-newest`; `restarts`, the long
 * form of what they measure under load, and with `--restarts=N` as many as are
 * asked for, `--minutes=M` at a time; `long`, the long forms of end-to-end tests;
 * `apps`, that of unmodified programs of frameworks; and `docs`, the site of the
 * documentation in a browser. The tests of the package install it into empty
 * projects: a tarball or a directory that `--package=PATH` names, or what
 * `deno pack` makes. That of the fallback alone, which is one of the portable suite, is
 * for systems other than Linux. `arm64` and `musl` run the portable suite and some
 * end-to-end tests with the programs of another platform. `containers`, `managers`
 * and `debian-units` are those of Podman and systemd-nspawn, of other service
 * managers, and of the units that Debian's packages have.
 */

import { parseArgs } from "node:util";
import { breadthRuns } from "./breadth.ts";
import { type ManyRestarts, manyRestartsRun } from "./breadth_runs.ts";
import {
  addCounts,
  countReport,
  type Counts,
  type Failure,
  findFailures,
} from "./junit.ts";
import {
  appsRun,
  docsRun,
  e2eRun,
  fallbackRun,
  longRun,
  matrixRun,
  newerSystemdRuns,
  newestNodeRun,
  newestSystemdRuns,
  packageRun,
  restartsRun,
  type Run,
  systemdDifferenceRuns,
  systemdRun,
  type Tested,
  unitRun,
} from "./test_runs.ts";
import { olderToolchain, type Tool, toolchain } from "./toolchain.ts";

async function main(args: string[]): Promise<boolean> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      package: { type: "string" },
      restarts: { type: "string" },
      minutes: { type: "string" },
    },
  });
  const isDefault = positionals.length === 0;
  const suites = isDefault
    ? ["unit", "e2e", "systemd", "matrix", "systemd-differences", "package"]
    : positionals;
  const tools = await toolchain();
  const packed = await Deno.makeTempDir({ prefix: "listenfds-packed-" });
  try {
    const { package: path, restarts, minutes } = values;
    const runs = await findRuns(
      suites,
      tools,
      isDefault,
      { output: packed, path },
      restarts === undefined ? undefined : { restarts, minutes },
    );
    return await runAll(runs, tools);
  } finally {
    await Deno.remove(packed, { recursive: true });
  }
}

/** @param isDefault Whether to leave out what takes long and tells little. */
async function findRuns(
  suites: readonly string[],
  tools: readonly Tool[],
  isDefault: boolean,
  tested: Tested,
  many: ManyRestarts | undefined,
): Promise<Run[]> {
  const usual = isDefault ? tools.filter((tool) => !isMarginal(tool)) : tools;
  const older = suites.includes("matrix") ? await olderToolchain() : [];
  return [
    ...(suites.includes("unit") ? tools.map((each) => unitRun(each)) : []),
    ...(suites.includes("fallback") ? tools.map(fallbackRun) : []),
    ...(suites.includes("e2e") ? [e2eRun(tools, usual)] : []),
    ...(suites.includes("systemd") ? [systemdRun(tools, usual)] : []),
    ...(isDefault ? [newestNodeRun(tools)] : []),
    ...(suites.includes("matrix")
      ? [
        matrixRun(
          tools,
          isDefault ? [...older, ...tools].filter(isMarginal) : older,
        ),
      ]
      : []),
    ...(suites.includes("systemd-newer") ? await newerSystemdRuns(tools) : []),
    ...(suites.includes("systemd-newest")
      ? await newestSystemdRuns(tools)
      : []),
    ...(suites.includes("systemd-differences")
      ? await systemdDifferenceRuns(tools)
      : []),
    ...(suites.includes("restarts")
      ? [many ? manyRestartsRun(tools, many) : restartsRun(tools)]
      : []),
    ...(suites.includes("long") ? [longRun(tools)] : []),
    ...(suites.includes("apps") ? [appsRun(tools)] : []),
    ...(suites.includes("docs") ? [await docsRun(tools)] : []),
    ...(suites.includes("package") ? [await packageRun(tools, tested)] : []),
    ...await breadthRuns(suites, tools),
  ];
}

/** Whether a program is the oldest of its runtime that is tested, or the newest Node. */
function isMarginal({ label }: Tool): boolean {
  return ["deno 2.3", "bun 1.2", "node 22", "node 26"].includes(label);
}

async function runAll(
  runs: readonly Run[],
  tools: readonly Tool[],
): Promise<boolean> {
  if (runs.some(({ isEndToEnd }) => isEndToEnd)) await fillStrippedTypes(tools);
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  const failures: string[] = [];
  for (const batch of batchesOf(runs)) {
    console.log(`\n== ${batch.map(({ label }) => label).join(" and ")}`);
    await Promise.all(batch.map(async (run) => {
      const { counts, failed } = await execute(run);
      failures.push(...failed.map((each) => describeFailure(run, each)));
      lines.push(`${run.label.padEnd(20)} ${describe(counts)}`);
      addCounts(total, counts);
    }));
  }
  // Once more, because the output of the later runs stands between.
  for (const failure of failures) console.log(`\n${failure}`);
  console.log(`\n${lines.join("\n")}`);
  console.log(describe(total));
  return total.failed === 0 && total.passed > 0;
}

/**
 * Joins runs in pairs that run at the same time: two of one process each, or one
 * that waits with one that doesn't.
 */
function batchesOf(runs: readonly Run[]): Run[][] {
  const batches: Run[][] = [];
  for (const run of runs) {
    const last = batches.at(-1);
    if (last?.length === 1 && canJoin(last[0]!, run)) last.push(run);
    else batches.push([run]);
  }
  return batches;
}

function canJoin(first: Run, second: Run): boolean {
  return first.isEndToEnd
    ? !first.isWaiting && second.isWaiting === true
    : !second.isEndToEnd;
}

function describe({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed` +
    (skipped > 0 ? `, ${skipped} skipped` : "");
}

function describeFailure(
  { label }: Run,
  { name, message }: Failure,
): string {
  const lines = message.split("\n").slice(0, 40);
  return [`Failed in ${label}: ${name}`, ...lines].join("\n  ");
}

/** Fills the cache from which Node 22 loads TypeScript in end-to-end tests. */
async function fillStrippedTypes(tools: readonly Tool[]): Promise<void> {
  const node = tools.find(({ label }) => label === "node 22")!;
  const script = "tests/harness/stripped_types.mjs";
  const { success } = await new Deno.Command(node.path, {
    args: [
      "--no-warnings",
      script,
      "fill",
      "mod.ts",
      "src",
      "tests",
      "examples",
    ],
    cwd: new URL("../", import.meta.url),
  }).spawn().status;
  if (!success) throw new Error("Stripping the types for Node 22 failed");
}

async function execute(
  run: Run,
): Promise<{ counts: Counts; failed: Failure[] }> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const [program, ...args] = [
      ...run.platform?.enter ?? [],
      run.tool.path,
      ...run.args(report),
    ];
    const { success } = await new Deno.Command(program!, {
      args,
      cwd: new URL("../", import.meta.url),
      env: {
        LISTENFDS_TOOLS: JSON.stringify(
          run.platform?.tools ?? run.started ?? [run.tool],
        ),
        NO_COLOR: "1",
        ...await run.env,
      },
      stdin: "null",
    }).spawn().status;
    const xml = await Deno.readTextFile(report);
    const counts = countReport(xml);
    // A runner that fails without a failed test has not run them all.
    if (!success && counts.failed === 0) counts.failed = 1;
    if (success && counts.passed === 0) counts.failed = 1;
    return { counts, failed: findFailures(xml) };
  } finally {
    await Deno.remove(report);
  }
}

try {
  if (!await main(Deno.args)) Deno.exit(1);
} catch (error) {
  console.error((error as Error).message);
  console.log("0 passed, 1 failed");
  Deno.exit(1);
}
