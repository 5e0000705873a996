/**
 * The suites of tests: which program runs each, on what, and with what in its
 * environment.
 */

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { appsEnvironment, EVERYDAY_APPS } from "./apps.ts";
import { findChromium } from "./docs/chromium.ts";
import { buildSite } from "./docs/site.ts";
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
  /** Whether it mostly waits, so that another one can run at the same time. */
  readonly isWaiting?: boolean;
  /** The platform on which it runs, if that is not this machine's. */
  readonly platform?: ForeignPlatform;
  /** The program that runs it. */
  readonly tool: Tool;
  /** The programs that it starts. */
  readonly started?: readonly Tool[];
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
export const COMPILE_CACHE: Environment = {
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

/** @param started The programs that it starts. */
export function e2eRun(
  tools: readonly Tool[],
  started: readonly Tool[] = tools,
): Run {
  return {
    label: "e2e, all runtimes",
    env: appsEnvironment(tools, COMPILE_CACHE, EVERYDAY_APPS),
    ...endToEnd(tools, [
      "tests/apps/restarts.test.ts",
      "tests/e2e/**/*.test.ts",
    ]),
    started,
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

/**
 * What has to work on older versions, too.
 *
 * @param started The older versions.
 */
export function matrixRun(
  tools: readonly Tool[],
  started: readonly Tool[],
): Run {
  return {
    label: "e2e, older versions",
    env: COMPILE_CACHE,
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
    started,
  };
}

/** What only the newest Node has: FFI, and permissions for it and for sockets. */
export function newestNodeRun(tools: readonly Tool[]): Run {
  return {
    label: "e2e, newest Node",
    env: { ...COMPILE_CACHE, LISTENFDS_HOSTS: "node 26" },
    ...endToEnd(tools, [
      "tests/e2e/activation/metadata.test.ts",
      "tests/e2e/activation/permissions.test.ts",
      "tests/e2e/command/inspect.test.ts",
    ]),
  };
}

const ALL_UNITS = "tests/systemd/*.test.ts";

/**
 * Real units; skipped where no systemd can be booted.
 *
 * @param started The programs that it starts.
 */
export function systemdRun(
  tools: readonly Tool[],
  started: readonly Tool[] = tools,
): Run {
  return {
    label: "systemd, all runtimes",
    isWaiting: true,
    env: appsEnvironment(tools, COMPILE_CACHE, EVERYDAY_APPS),
    ...endToEnd(tools, [ALL_UNITS], 3),
    started,
  };
}

/** The Debian whose systemd is the later one of the tests. */
const LATER_DEBIAN = "trixie";
/** The Debian that has the newest systemd. */
const NEWEST_DEBIAN = "sid";

/**
 * All real units with the systemd of a later Debian, which the variable
 * LISTENFDS_DEBIAN names.
 */
export function newerSystemdRuns(tools: readonly Tool[]): Promise<Run[]> {
  const suite = Deno.env.get("LISTENFDS_DEBIAN") ?? LATER_DEBIAN;
  return otherSystemdRuns(tools, suite, ALL_UNITS);
}

/** What only the systemd of a later Debian has. */
export function systemdDifferenceRuns(tools: readonly Tool[]): Promise<Run[]> {
  const file = "tests/systemd/notify_newer.test.ts";
  return otherSystemdRuns(tools, LATER_DEBIAN, file);
}

/**
 * All real units with the newest systemd: once as it is usually installed, and once
 * as on minimal systems, where dynamic users have no names and no homes.
 */
export async function newestSystemdRuns(
  tools: readonly Tool[],
): Promise<Run[]> {
  const runs = await otherSystemdRuns(tools, NEWEST_DEBIAN, ALL_UNITS);
  return runs.flatMap((run) => [run, {
    ...run,
    label: `${run.label}, without libnss-systemd`,
    env: Promise.resolve(run.env).then((env) => ({
      ...env,
      LISTENFDS_WITHOUT_NSS: "1",
    })),
  }]);
}

/** Real units of another systemd; nothing where its packages can't be fetched. */
async function otherSystemdRuns(
  tools: readonly Tool[],
  suite: string,
  files: string,
): Promise<Run[]> {
  const fetched = await fetchSystemd(suite);
  if ("reason" in fetched) {
    console.log(`\n== systemd of ${suite}: skipped: ${fetched.reason}`);
    return [];
  }
  return [{
    label: `systemd of ${suite}`,
    isWaiting: true,
    env: appsEnvironment(tools, {
      ...COMPILE_CACHE,
      LISTENFDS_SYSTEMD_USR: fetched.usr,
    }, EVERYDAY_APPS),
    ...endToEnd(tools, [files], 3),
  }];
}

/** What restarts lose, measured for long enough to be believed. */
export function restartsRun(tools: readonly Tool[]): Run {
  return {
    label: "restarts under load",
    env: {
      LISTENFDS_RESTARTS: Deno.env.get("LISTENFDS_RESTARTS") ?? "100",
      LISTENFDS_ROLLING: Deno.env.get("LISTENFDS_RESTARTS") ?? "100",
    },
    // One after another: what is measured is not to disturb what is measured.
    ...endToEnd(tools, [
      "tests/systemd/restarts.test.ts",
      "tests/systemd/idle.test.ts",
      "tests/systemd/rolling.test.ts",
      "tests/e2e/command/run_watch.test.ts",
    ], 1),
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

/** The site of the documentation, in a browser. */
export async function docsRun(tools: readonly Tool[]): Promise<Run> {
  const chromium = await findChromium();
  const { directory, packages } = await buildSite();
  return {
    label: "docs, in a browser",
    env: {
      LISTENFDS_SITE: directory,
      LISTENFDS_SITE_PACKAGES: packages,
      LISTENFDS_CHROMIUM: chromium,
    },
    ...endToEnd(tools, ["tests/docs/*.test.ts"]),
  };
}

/** End-to-end tests run on Node 24, and start the runtimes. */
export function endToEnd(
  tools: readonly Tool[],
  files: readonly string[],
  // More at once than cores: they mostly wait for processes to start.
  concurrency = 4,
): Pick<Run, "tool" | "started" | "args" | "isEndToEnd"> {
  return {
    isEndToEnd: true,
    started: tools,
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
