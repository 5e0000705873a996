/**
 * Names and text of the units: services, and the sockets that start them.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import { requireShortLines } from "../shared/systemd/unit_text.ts";
import { UsageError } from "../shared/verb.ts";
import { instanceName, longestInstanceName } from "./instances.ts";
import type { UnitFile, UnitPair, UnitPlan } from "./plan.ts";
import { formatDescription, serviceFile } from "./service_file.ts";
import { socketFile } from "./socket_file.ts";
import { targetFile } from "./target_file.ts";

/** Longest name of a unit with its suffix (`UNIT_NAME_MAX`). */
const MAX_NAME_LENGTH = 255;

/**
 * Creates the units, services first.
 *
 * @throws {UsageError} If a name is too long, or a text can't be written.
 */
export function unitFiles(plan: UnitPlan): UnitFile[] {
  const { name, accept, instances } = plan;
  const pairs = pairUnits(plan);
  for (const { socket, service } of pairs) {
    const longest = instances === undefined
      ? service
      : longestInstanceName(name);
    for (const name of [socket, longest]) {
      if (name.length <= MAX_NAME_LENGTH) continue;
      throw new UsageError(
        `Naming the unit ${quote(name)}: it is too long, systemd takes ` +
          `${MAX_NAME_LENGTH} characters: choose a shorter name`,
      );
    }
  }
  // Accept=yes requires a service with the name of its socket.
  const services = accept
    ? pairs.map((pair) => serviceFile(plan, pair.service, [pair]))
    : [
      serviceFile(
        plan,
        `${name}${instances === undefined ? "" : "@"}.service`,
        pairs,
      ),
    ];
  const files = [
    ...services,
    ...instances === undefined ? [] : [
      targetFile(
        plan,
        instances,
        formatDescription(plan),
        pairs.map(({ socket }) => socket).join(" "),
      ),
    ],
    ...pairs.map((pair) => socketFile(plan, pair)),
  ];
  for (const { name, text } of files) requireShortLines(text, name);
  return files;
}

/** Names the socket units, and pairs each with its service. */
function pairUnits(
  { name, sockets, accept, instances }: UnitPlan,
): UnitPair[] {
  const usedNames = new Set<string>();
  const nextNumbers = new Map<string, number>();
  return sockets.map((named) => {
    let base = name;
    if (sockets.length > 1) {
      // A descriptor's name may have characters that unit names can't have.
      const suffix = named.name.replace(/[^\w.-]+/g, "_");
      base = `${name}-${suffix}`;
      while (usedNames.has(base)) {
        const next = nextNumbers.get(suffix) ?? 2;
        nextNumbers.set(suffix, next + 1);
        base = `${name}-${suffix}-${next}`;
      }
      usedNames.add(base);
    }
    return {
      socket: `${base}.socket`,
      service: accept
        ? `${base}@.service`
        : instances === undefined
        ? `${name}.service`
        : instanceName(name, 1),
      sockets: named,
    };
  });
}
