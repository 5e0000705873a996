/**
 * The suites of tests: which program runs each, on what, and with what in its
 * environment.
 */

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { appsEnvironment, EVERYDAY_APPS } from "./apps.ts";
import type { ForeignPlatform } from "./foreign/platforms.ts";
import { denoPack, npmPack } from "./pack.ts";
import { fetchSystemd } from "./systemd_root.ts";
import { packageToolchain, type Tool } from "./toolchain.ts";

type Environment = Readonly<Record<string, string>>;

/** A suite that one process runs. */
export interface Run {
  readonly label: string;
  /** Whether it starts the runtimes as services. */
  readonly isEndToEnd?: boolean;
  /** Whether it starts the older versions. */
  readonly isMatrix?: boolean;
  /** The platform on which it runs, if that is not this machine's. */
  readonly platform?: ForeignPlatform;
  readonly tool: Tool;
  /** What else it finds in its environment; may be prepared beside other runs. */
  readonly env?: Environment | Promise<Environment>;
  /** The arguments that run the suite and write a JUnit report. */
  readonly args: (report: string) => string[];
}

/** The package to test. */
export interface Tested {
  /** A tarball or a directory; by default, what `deno pack` makes. */
  readonly path: string | undefined;
  /** A directory to pack it into. */
  readonly output: string;
}

/**
 * Lets Node keep what it has compiled: it would strip the types of some 200 files
 * at each start, which takes longer than the tests.
 */
const COMPILE_CACHE: Environment = {
  NODE_COMPILE_CACHE: fileURLToPath(
    new URL("../.toolchain/compile-cache", import.meta.url),
  ),
};

/** Only what has to work where nothing is activated. */
export function fallbackRun(tool: Tool): Run {
  return {
    ...unitRun(tool, "fallback.test.ts"),
    label: `fallback, ${tool.label}`,
  };
}

export function unitRun(
  tool: Tool,
  file: string = "",
  preloaded?: string,
): Run {
  const preload = (option: string) =>
    preloaded === undefined ? [] : [`${option}=./${preloaded}`];
  const args = {
    deno: (report: string) => [
      ..."test -A --quiet --no-check --reporter=dot".split(" "),
      ...preload("--preload"),
      `--junit-path=${report}`,
      `tests/unit/${file}`,
    ],
    bun: (report: string) => [
      ..."test --reporter=junit --dots".split(" "),
      // Of a test; Node and Deno have none.
      "--timeout=240000",
      ...preload("--preload"),
      `--reporter-outfile=${report}`,
      `./tests/unit/${file}`,
    ],
    node: (report: string) => [
      "--test",
      ...preload("--import"),
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

/** The portable suite, and what differs between platforms, on another one. */
export function platformRuns(
  platform: ForeignPlatform,
  tools: readonly Tool[],
): Run[] {
  const { label, isEmulated } = platform;
  const env = {
    ...COMPILE_CACHE,
    ...(isEmulated && {
      LISTENFDS_EMULATED: "1",
      // Deno has aborted under emulation without it.
      DENO_V8_FLAGS: "--single-threaded-gc",
    }),
  };
  const runs: Run[] = [
    ...platform.tools.map((tool) =>
      unitRun(tool, "", isEmulated ? "tests/harness/emulated.ts" : undefined)
    ),
    {
      label: "e2e",
      ...endToEnd(tools, [
        "tests/e2e/activation/metadata.test.ts",
        "tests/e2e/command/start.test.ts",
        "tests/e2e/command/run.test.ts",
        "tests/e2e/serving/adoption.test.ts",
        "tests/e2e/serving/drain.test.ts",
        "tests/e2e/serving/native.test.ts",
      ], 2),
    },
  ];
  return runs.map((run) => ({
    ...run,
    label: `${label}, ${run.label}`,
    env,
    platform,
  }));
}

/** Real programs of other service managers, whose `/usr` the platform shows. */
export function managersRun(
  platform: ForeignPlatform,
  tools: readonly Tool[],
): Run {
  return {
    label: "other managers",
    env: COMPILE_CACHE,
    platform,
    ...endToEnd(tools, ["tests/managers/*.test.ts"], 1),
  };
}

/** Every socket unit of Debian's packages, in the directory. */
export function debianUnitsRun(
  platform: ForeignPlatform,
  tools: readonly Tool[],
  units: string,
): Run {
  return {
    label: "units of Debian",
    env: { ...COMPILE_CACHE, LISTENFDS_DEBIAN_UNITS: units },
    platform,
    ...endToEnd(tools, ["tests/debian/*.test.ts"], 1),
  };
}

/** Containers and users' service managers, with the systemd of a directory. */
export function containersRun(tools: readonly Tool[], usr: string): Run {
  return {
    label: "containers",
    env: { ...COMPILE_CACHE, LISTENFDS_SYSTEMD_USR: usr },
    ...endToEnd(tools, ["tests/systemd/containers/*.test.ts"], 2),
  };
}

export function e2eRun(tools: readonly Tool[]): Run {
  return {
    label: "e2e, all runtimes",
    env: appsEnvironment(tools, COMPILE_CACHE, EVERYDAY_APPS),
    ...endToEnd(tools, [
      "tests/apps/restarts.test.ts",
      "tests/e2e/**/*.test.ts",
    ]),
  };
}

/** All unmodified programs of frameworks. */
export function appsRun(tools: readonly Tool[]): Run {
  return {
    label: "apps, unmodified",
    env: appsEnvironment(tools, {
      ...COMPILE_CACHE,
      LISTENFDS_APP_RESTARTS: Deno.env.get("LISTENFDS_APP_RESTARTS") ?? "20",
    }),
    // One after another, because their results are compared.
    ...endToEnd(tools, ["tests/apps/restarts.test.ts"], 1),
  };
}

/** What has to work on older versions, too. */
export function matrixRun(tools: readonly Tool[]): Run {
  return {
    label: "e2e, older versions",
    env: COMPILE_CACHE,
    isMatrix: true,
    ...endToEnd(tools, [
      "tests/e2e/command/start.test.ts",
      "tests/e2e/preload/calls.test.ts",
      "tests/e2e/preload/deno.test.ts",
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
export function systemdRun(tools: readonly Tool[]): Run {
  return {
    label: "systemd, all runtimes",
    env: appsEnvironment(tools, COMPILE_CACHE, EVERYDAY_APPS),
    ...endToEnd(tools, ["tests/systemd/*.test.ts"], 3),
  };
}

/**
 * Real units of another systemd; nothing where Debian's packages can't be fetched.
 * The variable LISTENFDS_DEBIAN names another Debian, such as `sid`.
 */
export async function newerSystemdRuns(
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
    ...endToEnd(tools, [files], 3),
  }];
}

/** What restarts lose, measured for long enough to be believed. */
export function restartsRun(tools: readonly Tool[]): Run {
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

/** How far to go with many restarts. */
export interface ManyRestarts {
  /** Restarts of each runtime, with those of earlier runs. */
  readonly restarts: string;
  /** The time after which a later run is to go on. Default: none. */
  readonly minutes: string | undefined;
}

/** As many restarts as are asked for, in pieces; a later run goes on. */
export function manyRestartsRun(
  tools: readonly Tool[],
  { restarts, minutes }: ManyRestarts,
): Run {
  return {
    label: `${restarts} restarts`,
    env: {
      ...COMPILE_CACHE,
      LISTENFDS_RESTARTS: restarts,
      ...(minutes !== undefined && { LISTENFDS_MINUTES: minutes }),
    },
    ...endToEnd(tools, ["tests/systemd/many/restarts.test.ts"], 1),
  };
}

/** The long forms of end-to-end tests. */
export function longRun(tools: readonly Tool[]): Run {
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
export async function packageRun(
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
