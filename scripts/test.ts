/**
 * Runs the tests on every runtime, and counts them all:
 *
 *     deno run -A scripts/test.ts [unit] [e2e] [matrix] [systemd]
 *         [systemd-differences] [package] [systemd-newer] [restarts] [long]
 *         [apps] [fallback] [arm64] [musl] [containers] [managers]
 *         [debian-units]
 *
 * The portable suite in tests/unit runs on each runtime; the end-to-end tests
 * run on Node 24 and start each runtime as a service, and those of the runtimes'
 * own servers older versions, too. Those in tests/systemd do the same with the
 * units of a real systemd: `systemd` with that of this machine, `systemd-newer`
 * with that of a later Debian, and `systemd-differences` with the latter only
 * those that differ. Not run by default are `systemd-newer`; `restarts`, the
 * long form of what they measure under load, and with `--restarts=N` as many as
 * are asked for, `--minutes=M` at a time; `long`, the long forms of end-to-end
 * tests; and `apps`, that of unmodified programs of frameworks.
 * The tests of the package install it into empty projects: a tarball or a
 * directory that `--package=PATH` names, or what `deno pack` makes. That of the
 * fallback alone, which is one of the portable suite, is for systems other than
 * Linux. `arm64` and `musl` run the portable suite and some end-to-end tests with
 * the programs of another platform. `containers`, `managers` and `debian-units`
 * are those of Podman and systemd-nspawn, of other service managers, and of the
 * units that Debian's packages have.
 */

import { parseArgs } from "node:util";
import { breadthRuns } from "./breadth.ts";
import { addCounts, countReport, type Counts } from "./junit.ts";
import {
  appsRun,
  e2eRun,
  fallbackRun,
  longRun,
  type ManyRestarts,
  manyRestartsRun,
  matrixRun,
  newerSystemdRuns,
  packageRun,
  restartsRun,
  type Run,
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
  const suites = positionals.length > 0
    ? positionals
    : ["unit", "e2e", "matrix", "systemd", "systemd-differences", "package"];
  const tools = await toolchain();
  const packed = await Deno.makeTempDir({ prefix: "listenfds-packed-" });
  try {
    const { package: path, restarts, minutes } = values;
    return await runSuites(
      suites,
      tools,
      { output: packed, path },
      restarts === undefined ? undefined : { restarts, minutes },
    );
  } finally {
    await Deno.remove(packed, { recursive: true });
  }
}

async function runSuites(
  suites: readonly string[],
  tools: readonly Tool[],
  tested: Tested,
  many: ManyRestarts | undefined,
): Promise<boolean> {
  const runs = [
    ...(suites.includes("unit") ? tools.map((each) => unitRun(each)) : []),
    ...(suites.includes("fallback") ? tools.map(fallbackRun) : []),
    ...(suites.includes("e2e") ? [e2eRun(tools)] : []),
    ...(suites.includes("matrix") ? [matrixRun(tools)] : []),
    ...(suites.includes("systemd") ? [systemdRun(tools)] : []),
    ...(suites.includes("systemd-newer")
      ? await newerSystemdRuns(tools, "tests/systemd/*.test.ts")
      : []),
    ...(suites.includes("systemd-differences")
      ? await newerSystemdRuns(tools, "tests/systemd/notify_newer.test.ts")
      : []),
    ...(suites.includes("restarts")
      ? [many ? manyRestartsRun(tools, many) : restartsRun(tools)]
      : []),
    ...(suites.includes("long") ? [longRun(tools)] : []),
    ...(suites.includes("apps") ? [appsRun(tools)] : []),
    ...(suites.includes("package") ? [await packageRun(tools, tested)] : []),
    ...await breadthRuns(suites, tools),
  ];
  const older = suites.includes("matrix") ? await olderToolchain() : [];
  if (runs.some(({ isEndToEnd }) => isEndToEnd)) await fillStrippedTypes(tools);
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  for (const batch of batchesOf(runs)) {
    console.log(`\n== ${batch.map(({ label }) => label).join(" and ")}`);
    await Promise.all(batch.map(async (run) => {
      const counts = await execute(run, run.isMatrix ? older : tools);
      lines.push(`${run.label.padEnd(20)} ${describe(counts)}`);
      addCounts(total, counts);
    }));
  }
  console.log(`\n${lines.join("\n")}`);
  console.log(describe(total));
  return total.failed === 0 && total.passed > 0;
}

/** Joins runs of one process in pairs that run at the same time; others run alone. */
function batchesOf(runs: readonly Run[]): Run[][] {
  const batches: Run[][] = [];
  for (const run of runs) {
    const last = batches.at(-1);
    const isJoined = ![run, ...last ?? []].some((each) => each.isEndToEnd);
    if (last?.length === 1 && isJoined) last.push(run);
    else batches.push([run]);
  }
  return batches;
}

function describe({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed` +
    (skipped > 0 ? `, ${skipped} skipped` : "");
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

async function execute(run: Run, tools: readonly Tool[]): Promise<Counts> {
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
        LISTENFDS_TOOLS: JSON.stringify(run.platform?.tools ?? tools),
        NO_COLOR: "1",
        ...await run.env,
      },
      stdin: "null",
    }).spawn().status;
    const counts = countReport(await Deno.readTextFile(report));
    // A runner that fails without a failed test has not run them all.
    if (!success && counts.failed === 0) counts.failed = 1;
    if (success && counts.passed === 0) counts.failed = 1;
    return counts;
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
