/**
 * Suites that need more than this machine has: other platforms, containers, other
 * service managers, and the units of a distribution. What they need is fetched
 * once; where that can't be, one line says why.
 *
 * @module
 */

import { join } from "node:path";
import { fetchDebian } from "./debian.ts";
import { fetchDebianUnits } from "./debian_units.ts";
import {
  foreignPlatforms,
  prepareManagers,
  prepareNamespaces,
  preparePlatform,
} from "./foreign/platforms.ts";
import {
  containersRun,
  debianUnitsRun,
  managersRun,
  platformRuns,
} from "./breadth_runs.ts";
import type { Run } from "./test_runs.ts";
import type { Tool } from "./toolchain.ts";

/** The runs of a suite, or the reason why there are none. */
type Prepared = readonly Run[] | { readonly reason: string };

type Prepare = (tools: readonly Tool[]) => Promise<Prepared>;

const SUITES: Readonly<Record<string, Prepare>> = {
  ...Object.fromEntries(
    foreignPlatforms().map((name): [string, Prepare] => [
      name,
      async (tools) => {
        const platform = await preparePlatform(name);
        return "reason" in platform ? platform : platformRuns(platform, tools);
      },
    ]),
  ),
  containers: async (tools) => {
    // Quadlets need a later Podman than that of Debian 12.
    const fetched = await fetchDebian({
      name: "containers",
      suite: "trixie",
      packages: [
        ..."podman crun conmon systemd-container dbus-daemon iproute2".split(
          " ",
        ),
      ],
      withDependencies: true,
    });
    if ("reason" in fetched) return fetched;
    return [containersRun(tools, join(fetched.root, "usr"))];
  },
  managers: async (tools) => {
    const platform = await prepareManagers(tools);
    return "reason" in platform ? platform : [managersRun(platform, tools)];
  },
  "debian-units": async (tools) => {
    const platform = await prepareNamespaces(tools);
    if ("reason" in platform) return platform;
    const units = await fetchDebianUnits();
    if ("reason" in units) return units;
    return [debianUnitsRun(platform, tools, units.root)];
  },
};

/** Prepares those of some suites that are of this kind. */
export async function breadthRuns(
  suites: readonly string[],
  tools: readonly Tool[],
): Promise<Run[]> {
  const runs: Run[] = [];
  for (const [name, prepare] of Object.entries(SUITES)) {
    if (!suites.includes(name)) continue;
    const prepared = await prepare(tools);
    if ("reason" in prepared) {
      console.log(`\n== ${name}: skipped: ${prepared.reason}`);
    } else {
      runs.push(...prepared);
    }
  }
  return runs;
}
