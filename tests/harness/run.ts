/** Starts the command `listenfds run`, and the command that it activates. */

import type { ChildProcess } from "node:child_process";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { eventually } from "./eventually.ts";
import { type Host, ROOT } from "./hosts.ts";
import {
  hasEnded,
  Program,
  spawnPiped,
  type SpawnSettings,
} from "./program.ts";
import { CLEANUP } from "./timed_test.ts";

/** The command `listenfds`. */
export const COMMAND: string = path.join(ROOT, "src/cli/bin.ts");

const ACTIVATED = path.join(ROOT, "tests/fixtures/activated.py");

/** Returns the command line of the program in Python. */
export function python(...flags: string[]): string[] {
  return ["python3", ACTIVATED, ...flags];
}

/** A process of the command: what the program in Python reports of itself. */
export interface Generation {
  readonly pid: number;
  readonly names: readonly string[];
  /** The numbers of the descriptors that were open when it started. */
  readonly open: readonly number[];
  readonly sockets: readonly {
    readonly fd: number;
    readonly family: string;
    readonly type: string;
    readonly address: string | readonly [string, number];
    readonly blocking: boolean;
    readonly listening: boolean;
  }[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly signals: readonly string[];
}

/** A started `listenfds run`. */
export class Run extends Program {
  constructor(t: TestContext, child: ChildProcess) {
    // Before it is killed itself: no process would end the command then.
    t.after(async () => {
      try {
        await this.#end();
      } finally {
        for (const { pid } of this.generations) {
          try {
            process.kill(-pid, "SIGKILL");
          } catch {
            // It has ended, as it should.
          }
        }
      }
    }, CLEANUP);
    super(t, child);
  }

  async #end(): Promise<void> {
    await eventually(
      "listenfds run to end",
      () => {
        // Again and again: of two signals at once, one may be all that arrives.
        if (!hasEnded(this.process)) this.process.kill("SIGTERM");
        return hasEnded(this.process);
      },
      (isOver) => isOver,
      { intervalMs: 100, timeoutMs: 10_000, details: () => this.output },
    );
  }

  /** The lines of JSON that the commands wrote. */
  get lines(): Record<string, unknown>[] {
    return this.stdout.split("\n").filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
  }

  /** The processes of the command so far. */
  get generations(): Generation[] {
    return this.lines.filter((line) =>
      "pid" in line
    ) as unknown as Generation[];
  }

  /** Waits for a process of the command, the first being 0. */
  async generation(index: number): Promise<Generation> {
    return await this.until(
      `generation ${index}`,
      () => this.generations[index],
    );
  }

  /** Waits for the port of a socket, of several the one at an index. */
  async port(name: string, index = 0): Promise<number> {
    return await this.until(`the address of ${name}`, () => {
      const all = this.stderr.matchAll(/^listenfds: "([^"]*)" at .*:(\d+)$/gm);
      const ports = [...all].filter(([, socket]) => socket === name);
      return ports[index] && Number(ports[index][2]);
    });
  }
}

/** Starts `listenfds run` on a host. */
export function startRun(
  t: TestContext,
  host: Host,
  options: readonly string[],
  command: readonly string[],
  settings: SpawnSettings = {},
): Run {
  const run = host.command(COMMAND, "run", ...options, "--", ...command);
  return new Run(t, spawnPiped(run, { cwd: ROOT, ...settings }));
}
