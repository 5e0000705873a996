/** Runs the command `listenfds inspect`, and reads its report. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import type { Handover } from "./handover.ts";
import type { Host } from "./hosts.ts";
import { type Environment, type Program, startActivated } from "./program.ts";
import { COMMAND } from "./run.ts";
import { bindSockets } from "./sockets.ts";

/** The part of the JSON that the tests read. */
export interface InspectReport {
  readonly inOrder: boolean;
  readonly state: string;
  readonly process: { readonly pid: number; readonly source: string };
  readonly listenPid: number | null;
  readonly wrapper: string | null;
  readonly findings: readonly {
    readonly severity: "problem" | "note";
    readonly code: string;
    readonly fds: readonly number[];
    readonly message: string;
  }[];
  readonly descriptors: readonly InspectedDescriptor[];
}

export interface InspectedDescriptor {
  readonly fd: number;
  readonly name: string | null;
  readonly kind: string;
  readonly address: { readonly port?: number; readonly path?: string } | null;
  readonly blocking: boolean | null;
  readonly closeOnExec: boolean | null;
  readonly backlog: number | null;
  readonly waiting: number | null;
  readonly use: Readonly<
    Record<"deno" | "bun" | "node", {
      readonly verdict: string;
      readonly native: { readonly api: string } | null;
      readonly portable: { readonly api: string } | null;
    }>
  >;
}

/** Returns the findings that are problems. */
export function problemsOf(
  { findings }: InspectReport,
): InspectReport["findings"] {
  return findings.filter(({ severity }) => severity === "problem");
}

/** Returns the codes of all problems, each once. */
export function problemCodes(report: InspectReport): string[] {
  return [...new Set(problemsOf(report).map(({ code }) => code))];
}

/** Waits for the end of `inspect --json`, and reads its report. */
export async function readReport(program: Program): Promise<InspectReport> {
  const status = await program.exited;
  assert.equal(program.stderr, "");
  const report: InspectReport = JSON.parse(program.stdout);
  assert.equal(status, report.inOrder ? 0 : 1);
  return report;
}

/** Runs `inspect` with sockets, and changes to the environment. */
export function inspectSockets(
  t: TestContext,
  host: Host,
  specs: readonly string[],
  env: Environment = {},
  ...args: string[]
): Promise<Program> {
  const command = host.command(COMMAND, "inspect", ...args);
  return bindSockets(
    specs,
    (sockets) => startActivated(t, command, sockets, env),
  );
}

/** Turns the maker of descriptors into `inspect --json`; reads its report. */
export async function inspectHandover(
  { maker, directory }: Handover,
  host: Host,
): Promise<InspectReport> {
  const file = path.join(directory, "report");
  // Its output is no answer to a call.
  const command = [
    ...["/bin/sh", "-c", 'exec "$@" > "$0"', file],
    ...host.command(COMMAND, "inspect", "--json"),
  ];
  await maker.call("become", command, {});
  const status = await maker.exited;
  const report: InspectReport = JSON.parse(fs.readFileSync(file, "utf8"));
  assert.equal(status, report.inOrder ? 0 : 1);
  return report;
}
