/**
 * Runs the tests on every runtime, and counts them all:
 *
 *     deno run -A scripts/test.ts [unit] [e2e] [matrix] [systemd]
 *         [systemd-differences] [package] [systemd-newer] [restarts] [long]
 *         [fallback]
 *
 * The portable suite in tests/unit runs on each runtime; the end-to-end tests
 * run on Node 24 and start each runtime as a service, and those of the runtimes'
 * own servers older versions, too. Those in tests/systemd do the same with the
 * units of a real systemd: `systemd` with that of this machine, `systemd-newer`
 * with that of a later Debian, and `systemd-differences` with the latter only
 * those that differ. Not run by default are `systemd-newer`; `restarts`, the long form of
 * what they measure under load, and `long`, the long forms of end-to-end tests.
 * The tests of the package install it into empty projects: a tarball or a
 * directory that `--package=PATH` names, or what `deno pack` makes. That of the
 * fallback alone, which is one of the portable suite, is for systems other than
 * Linux.
 */

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { countReport, type Counts } from "./junit.ts";
import { denoPack, npmPack } from "./pack.ts";
import { fetchSystemd } from "./systemd_root.ts";
import {
  olderToolchain,
  packageToolchain,
  type Tool,
  toolchain,
} from "./toolchain.ts";

interface Run {
  readonly label: string;
  /** Whether it starts the runtimes as services. */
  readonly isEndToEnd?: boolean;
  /** Whether it starts the older versions. */
  readonly isMatrix?: boolean;
  readonly tool: Tool;
  /** What else it finds in its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The arguments that run the suite and write a JUnit report. */
  readonly args: (report: string) => string[];
}

/** The package to test. */
interface Tested {
  /** A tarball or a directory; by default, what `deno pack` makes. */
  readonly path: string | undefined;
  /** A directory to pack it into. */
  readonly output: string;
}

async function main(args: string[]): Promise<boolean> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { package: { type: "string" } },
  });
  const suites = positionals.length > 0
    ? positionals
    : ["unit", "e2e", "matrix", "systemd", "systemd-differences", "package"];
  const tools = await toolchain();
  const packed = await Deno.makeTempDir({ prefix: "listenfds-packed-" });
  try {
    return await runSuites(suites, tools, {
      output: packed,
      path: values.package,
    });
  } finally {
    await Deno.remove(packed, { recursive: true });
  }
}

async function runSuites(
  suites: readonly string[],
  tools: readonly Tool[],
  tested: Tested,
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
      ? await newerSystemdRuns(tools, "tests/systemd/notify*.test.ts")
      : []),
    ...(suites.includes("restarts") ? [restartsRun(tools)] : []),
    ...(suites.includes("long") ? [longRun(tools)] : []),
    ...(suites.includes("package") ? [await packageRun(tools, tested)] : []),
  ];
  const older = suites.includes("matrix") ? await olderToolchain() : [];
  if (runs.some(({ isEndToEnd }) => isEndToEnd)) await fillStrippedTypes(tools);
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  for (const run of runs) {
    console.log(`\n== ${run.label}`);
    const counts = await execute(run, run.isMatrix ? older : tools);
    lines.push(`${run.label.padEnd(20)} ${describe(counts)}`);
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  }
  console.log(`\n${lines.join("\n")}`);
  console.log(describe(total));
  return total.failed === 0 && total.passed > 0;
}

function describe({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed` +
    (skipped > 0 ? `, ${skipped} skipped` : "");
}

/**
 * Lets Node keep what it has compiled: it would strip the types of some 200 files
 * at each start, which takes longer than the tests.
 */
const COMPILE_CACHE: Readonly<Record<string, string>> = {
  NODE_COMPILE_CACHE: fileURLToPath(
    new URL("../.toolchain/compile-cache", import.meta.url),
  ),
};

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

/** Only what has to work where nothing is activated. */
function fallbackRun(tool: Tool): Run {
  return {
    ...unitRun(tool, "fallback.test.ts"),
    label: `fallback, ${tool.label}`,
  };
}

function unitRun(tool: Tool, file: string = ""): Run {
  const args = {
    deno: (report: string) => [
      ..."test -A --quiet --no-check --reporter=dot".split(" "),
      `--junit-path=${report}`,
      `tests/unit/${file}`,
    ],
    bun: (report: string) => [
      ..."test --reporter=junit --dots".split(" "),
      `--reporter-outfile=${report}`,
      `./tests/unit/${file}`,
    ],
    node: (report: string) => [
      "--test",
      // One process for all files, as on Deno and Bun: it takes a third.
      "--experimental-test-isolation=none",
      "--test-reporter=dot",
      "--test-reporter-destination=stdout",
      "--test-reporter=junit",
      `--test-reporter-destination=${report}`,
      `tests/unit/${file || "**/*.test.ts"}`,
    ],
  }[tool.runtime];
  return { label: `unit, ${tool.label}`, env: COMPILE_CACHE, tool, args };
}

function e2eRun(tools: readonly Tool[]): Run {
  return {
    label: "e2e, all runtimes",
    env: COMPILE_CACHE,
    ...endToEnd(tools, ["tests/e2e/**/*.test.ts"]),
  };
}

/** What has to work on older versions, too. */
function matrixRun(tools: readonly Tool[]): Run {
  return {
    label: "e2e, older versions",
    env: COMPILE_CACHE,
    isMatrix: true,
    ...endToEnd(tools, [
      "tests/e2e/command/start.test.ts",
      "tests/e2e/preload/calls.test.ts",
      "tests/e2e/serving/native.test.ts",
      "tests/e2e/serving/adoption.test.ts",
      "tests/e2e/serving/backends.test.ts",
      "tests/e2e/serving/exhaustion.test.ts",
      "tests/e2e/serving/drain.test.ts",
      "tests/e2e/serving/drain_runtimes.test.ts",
      "tests/e2e/serving/idle.test.ts",
      "tests/e2e/serving/options.test.ts",
    ]),
  };
}

/** Real units; skipped where no systemd can be booted. */
function systemdRun(tools: readonly Tool[]): Run {
  return {
    label: "systemd, all runtimes",
    env: COMPILE_CACHE,
    ...endToEnd(tools, ["tests/systemd/*.test.ts"], 2),
  };
}

/**
 * Real units of another systemd; nothing where Debian's packages can't be fetched.
 * The variable LISTENFDS_DEBIAN names another Debian, such as `sid`.
 */
async function newerSystemdRuns(
  tools: readonly Tool[],
  files: string,
): Promise<Run[]> {
  const suite = Deno.env.get("LISTENFDS_DEBIAN") ?? "trixie";
  const fetched = await fetchSystemd(suite);
  if ("reason" in fetched) {
    console.log(`\n== systemd of ${suite}: skipped: ${fetched.reason}`);
    return [];
  }
  return [{
    label: `systemd of ${suite}`,
    env: { ...COMPILE_CACHE, LISTENFDS_SYSTEMD_USR: fetched.usr },
    ...endToEnd(tools, [files], 2),
  }];
}

/** What restarts lose, measured for long enough to be believed. */
function restartsRun(tools: readonly Tool[]): Run {
  return {
    label: "restarts under load",
    env: { LISTENFDS_RESTARTS: Deno.env.get("LISTENFDS_RESTARTS") ?? "100" },
    // One after another: what is measured is not to disturb what is measured.
    ...endToEnd(tools, [
      "tests/systemd/restarts.test.ts",
      "tests/e2e/command/run_watch.test.ts",
    ], 1),
  };
}

/** The long forms of end-to-end tests. */
function longRun(tools: readonly Tool[]): Run {
  return {
    label: "long forms",
    env: {
      ...COMPILE_CACHE,
      LISTENFDS_CYCLES: Deno.env.get("LISTENFDS_CYCLES") ?? "2000",
      LISTENFDS_CHANGES: "50",
      LISTENFDS_OWN_STOPS: "1",
    },
    ...endToEnd(tools, [
      "tests/e2e/serving/cycles.test.ts",
      "tests/e2e/serving/drain_slow_clients.test.ts",
      "tests/e2e/command/run_load.test.ts",
    ], 2),
  };
}

/** What has to work where the package is installed. */
async function packageRun(
  tools: readonly Tool[],
  { path, output }: Tested,
): Promise<Run> {
  const directory = await packageToolchain();
  const run = endToEnd(tools, ["tests/package/*.test.ts"]);
  const pack = async () => {
    if (path === undefined) return await denoPack(output, run.tool, directory);
    const { isDirectory } = await Deno.stat(path);
    return isDirectory
      ? await npmPack(resolve(path), output, run.tool, directory)
      : resolve(path);
  };
  return {
    label: "package, installed",
    ...run,
    env: {
      LISTENFDS_PACKAGE: await pack(),
      LISTENFDS_PACKAGE_TOOLS: directory,
    },
  };
}

/** End-to-end tests run on Node 24, and start the runtimes. */
function endToEnd(
  tools: readonly Tool[],
  files: readonly string[],
  // More at once than cores: they mostly wait for processes to start.
  concurrency = 4,
): Pick<Run, "tool" | "args" | "isEndToEnd"> {
  return {
    isEndToEnd: true,
    tool: tools.find(({ label }) => label === "node 24")!,
    args: (report) => [
      "--test",
      `--test-concurrency=${concurrency}`,
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      "--test-reporter=junit",
      `--test-reporter-destination=${report}`,
      ...files,
    ],
  };
}

async function execute(run: Run, tools: readonly Tool[]): Promise<Counts> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const { success } = await new Deno.Command(run.tool.path, {
      args: run.args(report),
      cwd: new URL("../", import.meta.url),
      env: {
        LISTENFDS_TOOLS: JSON.stringify(tools),
        NO_COLOR: "1",
        ...run.env,
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
