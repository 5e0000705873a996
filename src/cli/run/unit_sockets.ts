/**
 * Reads the socket units of `--from-unit`.
 *
 * @module
 */

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { quote } from "../../core/errors.ts";
import { readSocketUnit, type SocketUnit } from "./socket_unit.ts";
import {
  type Assignment,
  nameSpecifiers,
  parseUnitFile,
} from "../shared/systemd/unit_file.ts";
import { UsageError } from "../shared/verb.ts";

/** Reads socket units with the drop-ins beside them. */
export function readSocketUnits(
  files: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): SocketUnit[] {
  return files.map((file) => {
    const unit = path.basename(file);
    if (!/^[^.].*\.socket$/.test(unit)) {
      throw new UsageError(
        `Reading ${quote(file)}: expected a file named NAME.socket`,
      );
    }
    const absolute = path.resolve(cwd, file);
    const assignments = [absolute, ...dropIns(absolute)].flatMap(readFile);
    return readSocketUnit(unit, assignments, {
      specifiers: { ...nameSpecifiers(unit), ...directorySpecifiers(env) },
      hasIpv6: hasIpv6(),
      ipv6OnlyByDefault: readSysctlFlag("/proc/sys/net/ipv6/bindv6only"),
    });
  });
}

function readFile(file: string): Assignment[] {
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (cause) {
    const { code = String(cause) } = cause as NodeJS.ErrnoException;
    throw new UsageError(
      `Reading the unit ${quote(file)}: ${code}: give a readable file`,
      { cause },
    );
  }
  return parseUnitFile(text, path.basename(file));
}

/** Returns the drop-ins of a unit in the order of their names. */
function dropIns(file: string): string[] {
  const directory = `${file}.d`;
  try {
    return fs.readdirSync(directory).filter((name) => name.endsWith(".conf"))
      .sort().map((name) => path.join(directory, name));
  } catch {
    return [];
  }
}

/** Returns specifiers of directories, as for system units (root) or user units. */
function directorySpecifiers(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const runtime = process.getuid?.() === 0 ? "/run" : env["XDG_RUNTIME_DIR"];
  return {
    T: env["TMPDIR"] ?? "/tmp",
    V: env["TMPDIR"] ?? "/var/tmp",
    ...(runtime !== undefined && { t: runtime }),
    ...(env["HOME"] !== undefined && { h: env["HOME"] }),
  };
}

function hasIpv6(): boolean {
  return Object.values(os.networkInterfaces()).flat()
    .some((address) => address?.family === "IPv6");
}

function readSysctlFlag(file: string): boolean {
  try {
    return fs.readFileSync(file, "utf8").trim() === "1";
  } catch {
    return false;
  }
}
