/**
 * Reads the socket units of `--from-unit`.
 *
 * @module
 */

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { quote, quoteUnlessPlain } from "../../core/errors.ts";
import { type Assignment, parseUnitFile } from "../shared/systemd/unit_file.ts";
import { readSystemFile, readTextFile } from "../shared/text_file.ts";
import { findUnit } from "./find_unit.ts";
import { readSocketUnit, type SocketUnit } from "./socket_unit.ts";
import { unitSpecifiers } from "./unit_specifiers.ts";

/** Reads socket units with their drop-ins. */
export function readSocketUnits(
  files: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): SocketUnit[] {
  return files.map((file) => {
    const { name, fragment, dropIns, isInstalled } = findUnit(file, cwd, env);
    const assignments = [fragment, ...dropIns].flatMap(readFile);
    const unit = readSocketUnit(name, assignments, {
      specifiers: unitSpecifiers(name, fragment, env),
      hasIpv6: hasIpv6(),
      ipv6OnlyByDefault: readSysctlFlag("/proc/sys/net/ipv6/bindv6only"),
    });
    const notes = isInstalled
      ? [describeFiles(name, [fragment, ...dropIns]), ...unit.notes]
      : unit.notes;
    return { ...unit, notes };
  });
}

function describeFiles(name: string, files: readonly string[]): string {
  return `reading ${name} from ${files.map(quoteUnlessPlain).join(", ")}`;
}

function readFile(file: string): Assignment[] {
  const text = readTextFile(file, `Reading the unit ${quote(file)}`);
  return parseUnitFile(text, path.basename(file));
}

/** Returns true if the machine has IPv6, also without an address. */
function hasIpv6(): boolean {
  if (fs.existsSync("/proc/net/if_inet6")) return true;
  return Object.values(os.networkInterfaces()).flat()
    .some((address) => address?.family === "IPv6");
}

function readSysctlFlag(file: string): boolean {
  return readSystemFile(file).trim() === "1";
}
