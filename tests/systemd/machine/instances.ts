/** Instances of a template on one socket, written by the command. */

import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { eventually } from "../../harness/eventually.ts";
import { ROOT } from "../../harness/hosts.ts";
import type { Machine } from "./machine.ts";
import { SERVICE, type UnitHost } from "./units.ts";
import { installWritten } from "./written.ts";

/**
 * Reads the commands below a heading of `docs/instances.md`, to run them as they
 * are written.
 */
export function documentedCommands(heading: string): string {
  const text = fs.readFileSync(path.join(ROOT, "docs/instances.md"), "utf8");
  const section = text.split(/^(?=##)/m)
    .find((part) => part.startsWith(`${heading}\n`));
  const [, commands] = /^```sh\n([^]*?)^```$/m.exec(section ?? "") ?? [];
  if (commands !== undefined) return commands;
  throw new Error(`docs/instances.md has no commands below "${heading}"`);
}

/** Returns the command that restarts instances one after another. */
export function rollingRestart(instances: number): string {
  const numbers = Array.from({ length: instances }, (_, index) => index + 1);
  return documentedCommands("## Restart without a pause")
    .replace("in 1 2;", `in ${numbers.join(" ")};`);
}

const DROP_IN = "/etc/systemd/system/hello@.service.d";

/** Adds settings to all instances, until the test has ended. */
export function addSettings(
  t: TestContext,
  machine: Machine,
  name: string,
  settings: readonly string[],
): void {
  const directory = machine.file(DROP_IN);
  fs.mkdirSync(directory, { recursive: true });
  const text = ["[Service]", ...settings, ""].join("\n");
  fs.writeFileSync(path.join(directory, `${name}.conf`), text);
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
}

/** Writes `hello@.service` and its units for `service.ts`; starts the sockets. */
export async function installInstances(
  t: TestContext,
  machine: Machine,
  { command, runtime, http }: UnitHost,
  instances: number,
  options: readonly string[] = ["--socket=web=127.0.0.1:8080"],
  args: readonly string[] = [`${http}=web`],
): Promise<string[]> {
  if (runtime === "node") {
    // Without it, Node strips the types of all files at each start.
    addSettings(t, machine, "compile-cache", [
      "CacheDirectory=hello-%i",
      "Environment=NODE_COMPILE_CACHE=%C/hello-%i",
    ]);
  }
  return await installWritten(t, machine, [
    "hello",
    `--instances=${instances}`,
    ...runtime === "deno" ? ["--native"] : [],
    ...options,
    "--",
    ...command.slice(0, 1),
    SERVICE,
    ...args,
  ]);
}

/** Runs a command of a shell in a machine; returns its status and output. */
export async function shell(
  machine: Machine,
  command: string,
): Promise<{ status: number | null; output: string }> {
  const { status, stdout, stderr } = await machine.run("sh", "-c", command);
  return { status, output: stdout + stderr };
}

/** Returns the numbers of the instances that are active. */
export async function activeInstances(machine: Machine): Promise<number[]> {
  const { output } = await shell(
    machine,
    "systemctl list-units --plain --no-legend --state=active 'hello@*.service'",
  );
  return [...output.matchAll(/^hello@(\d+)\.service/gm)]
    .map(([, number]) => Number(number)).sort((a, b) => a - b);
}

/** Waits until exactly some instances are active. */
export async function untilActive(
  machine: Machine,
  numbers: readonly number[],
): Promise<void> {
  await eventually(
    `the instances ${numbers} to be active`,
    () => activeInstances(machine),
    (active) => String(active) === String(numbers),
  );
}
