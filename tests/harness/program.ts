/** Programs that tests start, and that end with the test. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import type { TestContext } from "node:test";
import {
  type NamedDescriptor,
  spawnActivated,
} from "../../src/cli/activator/activator.ts";
import { eventually, isPresent } from "./eventually.ts";
import { CLEANUP } from "./timed_test.ts";

/** Changes to a program's environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Returns whether a process has ended. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** A started program. */
export class Program {
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  stdout = "";
  stderr = "";

  constructor(t: TestContext, child: ChildProcess) {
    this.process = child;
    child.stdout?.setEncoding("utf8").on("data", (text) => this.stdout += text);
    child.stderr?.setEncoding("utf8").on("data", (text) => this.stderr += text);
    this.exited = once(child, "close").then(() => child.exitCode);
    t.after(async () => {
      // A program that the child started ends when its input does.
      child.stdin?.destroy();
      child.kill("SIGKILL");
      await this.exited;
    }, CLEANUP);
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** All that the program has written so far. */
  get output(): string {
    return this.stdout + this.stderr;
  }

  /** Ends it as a service manager does. */
  async terminate(): Promise<number | null> {
    this.process.kill("SIGTERM");
    return await this.exited;
  }

  /** Closes its input, which was all that kept it, and awaits its status. */
  async endInput(): Promise<number | null> {
    this.process.stdin!.end();
    return await this.exited;
  }

  /** Reads a state until it is accepted; fails at once if the program ends. */
  async until<T>(
    expected: string,
    read: () => T | Promise<T>,
    accept: (state: T) => boolean = isPresent,
  ): Promise<Exclude<T, undefined>> {
    const readWhileRunning = async () => {
      const isOver = hasEnded(this.process);
      // Its last output counts, too.
      if (isOver) await this.exited;
      const state = await read();
      if (isOver && !accept(state)) this.#failWaiting(expected);
      return state;
    };
    return await eventually(expected, readWhileRunning, accept, {
      details: () => this.output,
    });
  }

  /** Awaits a promise; a failure shows the program's output. */
  async whileRunning<T>(expected: string, promise: Promise<T>): Promise<T> {
    const failure = this.exited.then(() => this.#failWaiting(expected));
    try {
      return await Promise.race([promise, failure]);
    } catch (error) {
      assert.fail(`Waiting for ${expected}: ${error}\n${this.output}`);
    }
  }

  /** Waits for a time in which nothing is to happen. */
  async staysFor(milliseconds: number): Promise<void> {
    const end = performance.now() + milliseconds;
    await this.until("time to pass", () => performance.now() > end);
  }

  #failWaiting(expected: string): never {
    const { exitCode, signalCode } = this.process;
    assert.fail(
      `Waiting for ${expected}: the program ended with ` +
        `${exitCode ?? signalCode}\n${this.output}`,
    );
  }
}

/** Settings of {@linkcode spawnPiped}. */
export interface SpawnSettings {
  readonly cwd?: string;
  readonly env?: Environment;
  /** The user that the program runs as. */
  readonly uid?: number;
  /** Descriptors that the program inherits, from 3 on. */
  readonly inherited?: readonly ("pipe" | "ignore")[];
}

/** Spawns a command whose input and output are pipes. */
export function spawnPiped(
  command: readonly string[],
  { env, inherited = [], ...options }: SpawnSettings = {},
): ChildProcess {
  const [program, ...args] = command;
  return spawn(program!, args, {
    ...options,
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe", ...inherited],
  });
}

/** Starts a command without input and without any activation. */
export function startProgram(
  t: TestContext,
  command: readonly string[],
  settings: SpawnSettings = {},
): Program {
  const child = spawnPiped(command, settings);
  child.stdin!.end();
  return new Program(t, child);
}

/** Starts a command with descriptors of this process. */
export function startActivated(
  t: TestContext,
  command: readonly string[],
  descriptors: readonly NamedDescriptor[],
  env: Environment = {},
): Program {
  const stdio = ["pipe", "pipe", "pipe"] as const;
  return new Program(t, spawnActivated(command, descriptors, { stdio, env }));
}
