/** Descriptors of every kind, and programs that they are handed to. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import type { MakerOperations } from "../fixtures/operations.ts";
import { Agent, type AgentScript } from "./agent.ts";
import { DENO_PERMISSIONS, type Host, HOSTS, ROOT } from "./hosts.ts";
import { temporaryDirectory } from "./machine_tools.ts";
import { type Program, spawnPiped } from "./program.ts";

const MAKER = path.join(ROOT, "tests/fixtures/handover.py");

/** All hosts, and Deno with permission to call the C library only. */
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

/** Descriptors from 3 on, to be handed to a program. */
export interface Handover {
  /** The program that created the descriptors, until it becomes another one. */
  readonly maker: Agent<MakerOperations>;
  readonly names: readonly string[];
  /** The ports of the sockets that have one, by name. */
  readonly ports: Readonly<Record<string, number>>;
  /** Descriptors that the kernel refused to create, with the reason. */
  readonly refused: Readonly<Record<string, string>>;
  /** The directory of the paths. */
  readonly directory: string;
  /** The path of the message queue. */
  readonly queue: string;
  /** Returns the number of a descriptor. */
  readonly fd: (name: string) => number;
}

/** Makes the descriptors that have some names in `handover.py`, or all. */
export async function handOver(
  t: TestContext,
  names: readonly string[] = [],
): Promise<Handover> {
  const directory = temporaryDirectory(t);
  const maker = new Agent<MakerOperations>(t, spawnPiped(["python3", MAKER]));
  const queue = `/listenfds-${maker.pid}`;
  t.after(() => fs.rmSync(`/dev/mqueue${queue}`, { force: true }));
  const report = await maker.call("make", names, directory);
  if (names.length > 0) assert.deepEqual(report.refused, {});
  return {
    maker,
    ...report,
    directory,
    queue,
    fd(name) {
      const index = report.names.indexOf(name);
      if (index < 0) throw new Error(`${name} was not created`);
      return 3 + index;
    },
  };
}

/**
 * Turns the maker into an agent on a host, which inherits the descriptors.
 *
 * @param env Variables to set, or with `null` to remove.
 */
export async function become<Operations>(
  { maker }: Handover,
  host: Host,
  script: AgentScript<Operations>,
  env: Readonly<Record<string, string | null>> = {},
): Promise<Agent<Operations>> {
  return await execute(maker, host.command(script), env);
}

/** Turns the maker into an agent that is started by a command. */
export async function execute<Operations>(
  maker: Agent<MakerOperations>,
  command: readonly string[],
  env: Readonly<Record<string, string | null>> = {},
): Promise<Agent<Operations>> {
  await maker.call("become", command, env);
  // The same process, which goes on to take calls.
  return maker as Program as Agent<Operations>;
}
