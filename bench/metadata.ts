/**
 * How the time of reading metadata grows with the descriptors, and with the
 * other sockets of the network namespace.
 *
 * @module
 */

import type { Tool } from "../scripts/toolchain.ts";
import { commandOf, measurementsOf } from "./command.ts";
import type { Measurement } from "./metadata_host.ts";
import { OTHERS, report } from "./metadata_report.ts";
import { ownNetwork } from "./network.ts";

/**
 * Measures on every runtime, and prints tables and what they show.
 *
 * @param tools The runtimes.
 */
export async function benchMetadata(tools: readonly Tool[]): Promise<void> {
  const network = await ownNetwork();
  console.log(
    network.length > 0
      ? "In a network namespace of its own"
      : "In the network namespace of this process, among all sockets that it " +
        "has, as none of its own can be made here (by unshare and ip)",
  );
  const measurements: Measurement[] = [];
  let situation = "";
  for await (const measurement of measure(tools, network)) {
    measurements.push(measurement);
    const { round, others, connected } = measurement;
    const current = `Round ${round}: ${OTHERS[others]} (` +
      `${connected.toLocaleString("en")} connected sockets)`;
    if (current !== situation) console.log(current);
    situation = current;
  }
  console.log(`\n${report(measurements)}`);
}

/** Runs the host. */
function measure(
  tools: readonly Tool[],
  network: readonly string[],
): AsyncGenerator<Measurement> {
  const node = tools.find(({ label }) => label === "node 24")!;
  const [program, ...args] = [
    ...network,
    ...commandOf(node, "metadata_host.ts"),
  ];
  return measurementsOf(
    [program!, ...args],
    { LISTENFDS_TOOLS: JSON.stringify(tools) },
    "the metadata",
  );
}
