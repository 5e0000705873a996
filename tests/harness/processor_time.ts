/** Processor time of processes. */

import fs from "node:fs";
import os from "node:os";
import process from "node:process";

/** The processor time that a process has used. */
export function usedMs(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
  // After the name: state, and then the fields from 4 on, see proc(5).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return ticks * 10;
}

/** The time that the main thread of a process was able to run, and had to wait. */
function waitedMs(pid: number): number {
  // In nanoseconds: time on a core, and time of waiting for one.
  const [, waited] = fs.readFileSync(`/proc/${pid}/schedstat`, "utf8").split(
    " ",
  );
  return Number(waited) / 1e6;
}

/**
 * Measures the time in which processes do something one after another, as it were
 * on cores of their own: without the time that they, or this process, waited for
 * one, because the other tests run at the same time.
 */
export async function undisturbedMs(
  pids: readonly number[],
  run: () => Promise<unknown>,
): Promise<number> {
  const waited = () =>
    [process.pid, ...pids].reduce((sum, pid) => sum + waitedMs(pid), 0);
  const before = waited();
  const begin = performance.now();
  await run();
  return performance.now() - begin - (waited() - before);
}

/**
 * Sets how soon this process gets a core, which processes that it starts inherit.
 * Where the user must not, it is as late as the machine makes it.
 */
export function setPriority(
  name: "PRIORITY_HIGHEST" | "PRIORITY_NORMAL",
): void {
  try {
    os.setPriority(os.constants.priority[name]);
  } catch (error) {
    const { info } = error as { readonly info?: { readonly code?: string } };
    if (info?.code !== "EACCES" && info?.code !== "EPERM") throw error;
  }
}
