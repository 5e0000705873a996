/**
 * Hides descriptors that this process inherited from the programs it starts.
 *
 * @module
 */

import fs from "node:fs";
import { parseFdinfo } from "../../linux/procfs.ts";
import type { SocketCalls } from "../../ffi/sockets.ts";

/**
 * Sets close-on-exec on every descriptor from 3 on that programs would inherit.
 *
 * Runtimes set it on their own descriptors, so the others come from the shell,
 * terminal or editor that started this process. On Linux only: elsewhere the
 * runtimes' spawn functions close all other descriptors.
 *
 * @param calls Without the C library the descriptors are closed, because
 * nothing in this process uses them.
 */
export function hideInherited(calls: SocketCalls | undefined): void {
  for (const fd of openDescriptors()) {
    if (fd < 3) continue;
    try {
      const text = fs.readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
      if (parseFdinfo(text).closeOnExec !== false) continue;
      if (calls !== undefined) calls.setCloseOnExec(fd);
      else fs.closeSync(fd);
    } catch {
      // The listing's own descriptor, which is closed by now.
    }
  }
}

function openDescriptors(): number[] {
  try {
    return fs.readdirSync("/proc/self/fd").map(Number);
  } catch {
    return [];
  }
}
