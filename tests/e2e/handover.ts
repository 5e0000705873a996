/** Descriptors of every kind, handed to a program that tells what they are. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import {
  Agent,
  DENO_PERMISSIONS,
  type Host,
  HOSTS,
  ROOT,
  temporaryFolder,
} from "./harness.ts";

const HANDOVER = path.join(ROOT, "tests/fixtures/handover.py");
const METADATA_AGENT = path.join(ROOT, "tests/fixtures/metadata_agent.ts");

/** Why descriptors of every kind can't be made here, if so. */
export const NO_HANDOVER: string | false =
  spawnSync("python3", ["--version"]).status !== 0 &&
  "python3 is not installed";

/** All hosts, and Deno where it may call the C library and do nothing else. */
export const METADATA_HOSTS: readonly Host[] = HOSTS.flatMap((host) =>
  host.runtime === "deno" && !host.inspects
    ? [host, {
      ...host,
      label: `${host.label} --allow-ffi`,
      inspects: true,
      adopts: false,
      command: (script, ...args) => [
        host.command("")[0]!,
        "run",
        ...DENO_PERMISSIONS,
        "--allow-ffi",
        script,
        ...args,
      ],
    }]
    : [host]
);

/** What was made, before and after a program was started with it. */
export interface Handover {
  /** Makes the calls: to the maker first, then to the program. */
  readonly agent: Agent;
  /** The names of the descriptors, from 3 on. */
  readonly names: readonly string[];
  /** The ports that they are bound to. */
  readonly ports: Readonly<Record<string, number>>;
  /** What the kernel refused to make, and why. */
  readonly refused: Readonly<Record<string, string>>;
  /** The folder with the paths. */
  readonly folder: string;
  /** The path of the message queue. */
  readonly queue: string;
  /** The number of a descriptor. */
  readonly fd: (name: string) => number;
}

/**
 * Makes descriptors.
 *
 * @param names Those of `handover.py` to make; all if empty.
 */
export async function handOver(
  t: TestContext,
  names: readonly string[] = [],
): Promise<Handover> {
  const folder = temporaryFolder(t);
  const agent = new Agent(
    t,
    spawn("python3", [HANDOVER], { stdio: ["pipe", "pipe", "pipe"] }),
  );
  const queue = `/listenfds-${agent.pid}`;
  t.after(() => fs.rmSync(`/dev/mqueue${queue}`, { force: true }));
  const made = await agent.call("make", names, folder);
  if (names.length > 0) assert.deepEqual(made.refused, {});
  return {
    agent,
    names: made.names,
    ports: made.ports,
    refused: made.refused,
    folder,
    queue,
    fd(name) {
      const at = made.names.indexOf(name);
      if (at < 0) throw new Error(`${name} was not made`);
      return 3 + at;
    },
  };
}

/**
 * Turns the maker into a program on a host, which inherits the descriptors.
 *
 * @param env Variables to set, or with `null` to remove.
 */
export async function become(
  { agent }: Handover,
  host: Host,
  env: Record<string, string | null> = {},
  script: string = METADATA_AGENT,
): Promise<void> {
  await agent.call("become", host.command(script), env);
}
