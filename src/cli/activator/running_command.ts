/**
 * A running command, with the processes that it started.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

/** How a command ended. */
export interface Ending {
  /** Exit status; `null` if a signal ended the command. */
  readonly code: number | null;
  /** Signal that ended the command. */
  readonly signal: NodeJS.Signals | null;
}

/** Interval of checks whether a process group is empty. */
const GROUP_POLL_MS = 20;

/** Commands that haven't ended. */
const running = new Set<RunningCommand>();

/** Kills all running commands, before an unexpected exit. */
export function killRunning(): void {
  for (const command of running) command.signal("SIGKILL");
}

/** A command that leads its own process group. */
export class RunningCommand {
  readonly #child: ChildProcess;
  /** Resolves when the command has ended. */
  readonly exited: Promise<Ending>;

  /** Wraps a process that was started as leader of its group. */
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
    // Awaited later, or never if something else fails first.
    this.exited.catch(() => {});
  }

  /**
   * Sends a signal to the process group of the command.
   *
   * @returns True if the group has a process.
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

  /** Ends the command with SIGTERM, and with SIGKILL after the timeout. */
  async stop(timeoutMs: number): Promise<Ending> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), timeoutMs);
    const ending = await this.exited;
    clearTimeout(timer);
    await this.endGroup(timeoutMs);
    return ending;
  }

  /**
   * Ends the remaining processes of an ended command in the same way, because
   * they would accept connections that are meant for the next one.
   */
  async endGroup(timeoutMs: number): Promise<void> {
    if (!this.signal("SIGTERM")) return;
    const deadline = Date.now() + timeoutMs;
    while (this.signal(0)) {
      if (Date.now() >= deadline) {
        this.signal("SIGKILL");
        return;
      }
      await sleep(GROUP_POLL_MS);
    }
  }
}

/** Returns the exit status that represents an ending, as shells do. */
export function statusOf({ code, signal }: Ending): number {
  return code ?? statusOfSignal(signal!);
}

/** Returns the exit status that represents a signal. */
export function statusOfSignal(signal: NodeJS.Signals): number {
  return 128 + (constants.signals[signal] ?? 0);
}

/** Describes an ending, such as `with exit status 1`. */
export function describeEnding({ code, signal }: Ending): string {
  return code === null ? `by ${signal}` : `with exit status ${code}`;
}
