/** Starts the command `listenfds run`, and what it is to run. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { COMMAND, type Host, Program, ROOT } from "./harness.ts";

const ACTIVATED = path.join(ROOT, "tests/fixtures/activated.py");

/** Why the program in Python can't be run here, if so. */
export const NO_PYTHON: string | false =
  spawnSync("python3", ["--version"]).status !== 0 &&
  "python3 is not installed";

/** The command line of the program in Python. */
export function python(...flags: string[]): string[] {
  return ["python3", ACTIVATED, ...flags];
}

/** What the program in Python tells of itself. */
export interface Activated {
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

/** How {@linkcode startRun} starts it. */
export interface RunSettings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Descriptors that it inherits, from 3 on. */
  readonly inherited?: readonly ("pipe" | "ignore")[];
  /** The user that it is started as. */
  readonly uid?: number;
}

/** A started `listenfds run`. */
export class Run extends Program {
  constructor(t: TestContext, child: ChildProcess) {
    // Before it is killed itself: nobody would end the command then.
    t.after(async () => {
      try {
        await end();
      } finally {
        for (const { pid } of this.generations) {
          try {
            process.kill(-pid, "SIGKILL");
          } catch {
            // It has ended, as it should.
          }
        }
      }
    });
    const end = async () => {
      const gone = () => child.exitCode !== null || child.signalCode !== null;
      if (gone()) return;
      for (let tries = 0; tries < 1000 && !gone(); tries++) {
        // Again and again: of two at once, one may be all that arrives.
        if (tries % 20 === 0) child.kill("SIGTERM");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    super(t, child);
  }

  /** The lines of JSON that the commands wrote. */
  get lines(): Record<string, unknown>[] {
    return this.stdout.split("\n").filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
  }

  /** What the commands so far told of themselves. */
  get generations(): Activated[] {
    return this.lines.filter((line) => "pid" in line) as unknown as Activated[];
  }

  /** Waits for a generation of the command, the first being 0. */
  async generation(at: number): Promise<Activated> {
    return await this.until(
      `generation ${at}`,
      () => this.generations[at],
    );
  }

  /** The port that a socket was bound to, of several the one at an index. */
  async port(name: string, at = 0): Promise<number> {
    return await this.until(`the address of ${name}`, () => {
      const all = this.stderr.matchAll(/^listenfds: "([^"]*)" at .*:(\d+)$/gm);
      const ports = [...all].filter(([, each]) => each === name);
      return ports[at] && Number(ports[at][2]);
    });
  }
}

/** Starts `listenfds run` on a host. */
export function startRun(
  t: TestContext,
  host: Host,
  options: readonly string[],
  command: readonly string[],
  settings: RunSettings = {},
): Run {
  const { cwd = ROOT, env, inherited = [], uid } = settings;
  const [program, ...args] = host.command(
    COMMAND,
    "run",
    ...options,
    "--",
    ...command,
  );
  return new Run(
    t,
    spawn(program!, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe", ...inherited],
      ...(uid !== undefined && { uid }),
    }),
  );
}
