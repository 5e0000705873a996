/**
 * A command that is running, with all that it started.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import process from "node:process";

/** How a command ended. */
export interface Ending {
  /** Its exit status; `null` if a signal ended it. */
  readonly code: number | null;
  /** The signal that ended it. */
  readonly signal: NodeJS.Signals | null;
}

/** How often it is looked whether a process group is empty. */
const GROUP_MILLISECONDS = 20;

/** Those that haven't ended. */
const running = new Set<RunningCommand>();

/** Kills all that is running: for an end that nobody foresaw. */
export function killRunning(): void {
  for (const command of running) command.signal("SIGKILL");
}

/** A command, which leads a process group of its own. */
export class RunningCommand {
  readonly #child: ChildProcess;
  /** How it ended. */
  readonly exited: Promise<Ending>;

  /** Takes over a process that was started as a leader of its group. */
  constructor(child: ChildProcess) {
    this.#child = child;
    this.exited = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        running.delete(this);
        resolve({ code, signal });
      });
    });
    running.add(this);
    // Awaited late, or never if something else fails first.
    this.exited.catch(() => {});
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid!;
  }

  /**
   * Sends a signal to the command, and to what it started and is in its group.
   *
   * @returns Whether anybody was there.
   */
  signal(signal: NodeJS.Signals | 0): boolean {
    if (this.#child.pid === undefined) return false;
    try {
      process.kill(-this.#child.pid, signal);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Ends the command by SIGTERM, and by SIGKILL when the time is over.
   *
   * @param milliseconds The time that it has.
   */
  async stop(milliseconds: number): Promise<Ending> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), milliseconds);
    const ending = await this.exited;
    clearTimeout(timer);
    await this.settle(milliseconds);
    return ending;
  }

  /**
   * Ends what a command that has ended left running, in the same way: it would
   * go on to accept connections beside the next one.
   *
   * @param milliseconds The time that it has.
   */
  async settle(milliseconds: number): Promise<void> {
    if (!this.signal("SIGTERM")) return;
    const deadline = Date.now() + milliseconds;
    while (this.signal(0)) {
      if (Date.now() >= deadline) {
        this.signal("SIGKILL");
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, GROUP_MILLISECONDS));
    }
  }
}

/** The exit status of whoever stands for a command: as a shell's. */
export function statusOf({ code, signal }: Ending): number {
  return code ?? statusOfSignal(signal!);
}

/** The exit status that stands for a signal. */
export function statusOfSignal(signal: NodeJS.Signals): number {
  return 128 + (constants.signals[signal] ?? 0);
}

/** How a command ended, in words. */
export function describeEnding({ code, signal }: Ending): string {
  return code === null ? `by ${signal}` : `with exit status ${code}`;
}
