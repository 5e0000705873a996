/**
 * The suites of tests of other platforms, containers and service managers, and of
 * many restarts.
 *
 * @module
 */

import type { ForeignPlatform } from "./foreign/platforms.ts";
import { COMPILE_CACHE, endToEnd, type Run, unitRun } from "./test_runs.ts";
import type { Tool } from "./toolchain.ts";

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
      // Each runtime once: programs take ten times as long.
      LISTENFDS_HOSTS: platform.tools.map(({ label, runtime }) =>
        runtime === "deno" ? `${label} -A` : label
      ).join(),
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
