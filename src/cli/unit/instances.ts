/**
 * Several processes of one service: how many instances of a template there are,
 * and their names.
 *
 * @module
 */

import { argumentError } from "../shared/options.ts";
import { MAX_INSTANCES, parseInstances } from "../shared/instances.ts";

/** The instances that a target starts. */
export interface InstancesPlan {
  readonly count: number;
  /** True for as many as this machine has CPUs. */
  readonly isAuto: boolean;
}

/**
 * Reads the value of `--instances`.
 *
 * @param accept True if a process is started for each connection.
 */
export function planInstances(
  text: string | undefined,
  accept: boolean,
): InstancesPlan | undefined {
  if (text === undefined) return undefined;
  if (accept) {
    throw argumentError(
      `--instances has no use with --accept, which starts a process for each ` +
        `connection: leave one of them out`,
    );
  }
  return { count: parseInstances(text), isAuto: text === "auto" };
}

/** Names an instance: `hello@1.service`. */
export function instanceName(name: string, instance: number): string {
  return `${name}@${instance}.service`;
}

/** Names the longest one that may be added later. */
export function longestInstanceName(name: string): string {
  return instanceName(name, MAX_INSTANCES);
}

/** Names the instances that are written into units. */
export function writtenInstances(
  name: string,
  { count }: InstancesPlan,
): string {
  return Array.from(
    { length: count },
    (_, index) => instanceName(name, index + 1),
  ).join(" ");
}
