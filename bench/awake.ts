/**
 * Keeping the cores of a machine from sleeping, on Node.
 *
 * @module
 */

import { openSync, writeSync } from "node:fs";

/** The longest time that a core may take to wake up, in microseconds. */
const LATENCY_FILE = "/dev/cpu_dma_latency";

/**
 * Asks the kernel not to let cores sleep while this process runs. Otherwise the
 * core of the load generator sleeps between the answers of a slow server, which
 * then pays for waking it with each of them: on a virtual machine, more than for
 * the rest of the answer. A fast server never lets it sleep.
 *
 * The request is bound to the open file, see
 * https://docs.kernel.org/power/pm_qos_interface.html.
 */
export function keepCoresAwake(): void {
  try {
    writeSync(openSync(LATENCY_FILE, "r+"), new Int32Array([0]));
  } catch (error) {
    console.error(
      `Keeping the cores awake failed, so slow servers seem slower than they ` +
        `are; run it as root: ${(error as Error).message}`,
    );
  }
}
