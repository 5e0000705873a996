/**
 * Keeps what this process inherited away from the programs that it starts.
 *
 * @module
 */

import fs from "node:fs";
import { parseFdinfo } from "../../linux/procfs.ts";
import type { SocketCalls } from "../../ffi/sockets.ts";

/**
 * Hides every descriptor from 3 on that programs would inherit. Runtimes make
 * their own close-on-exec, so these are what the process was started with: by a
 * shell, a terminal or an editor. On Linux only; elsewhere runtimes start
 * programs with nothing but what they are told to.
 *
 * @param calls The calls of the C library. Without them the descriptors are
 * closed: nothing in this process knows of them.
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
      // That of the listing, which is closed by now.
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
