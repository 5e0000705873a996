/**
 * The reading of environments by libsystemd: that of the library, corrected by
 * the differences that the table in `environment.ts` lists.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import {
  ActivationError,
  type ListenVariables,
  parseListenEnvironment,
} from "../../src/core/mod.ts";
import { handOver } from "./handover.ts";
import { ROOT } from "./hosts.ts";

/** The number of descriptors that are open when environments are read. */
export const OPEN = 40;

/** The result of reading an environment: names, none, or an error. */
type Reading = readonly string[] | "inactive" | "error";

/** The process in which libsystemd reads environments, and its version. */
export interface SystemdReader {
  readonly pid: number;
  /** The inode id of its pidfd, if the kernel has one. */
  readonly pidfdId: bigint | undefined;
  /** libsystemd 258 and later. */
  readonly comparesPidfdId: boolean;
  /** `strtol(3)` of glibc 2.38 and later reads `0b10`. */
  readonly readsBinary: boolean;
  /** Lets libsystemd read environments. */
  read(environments: readonly ListenVariables[]): Promise<Reading[]>;
}

/** Starts a process with libsystemd; skips the test where it is missing. */
export async function startReader(
  t: TestContext,
): Promise<SystemdReader | undefined> {
  const { maker } = await handOver(t, ["null"]);
  if (!await maker.call("has_libsystemd")) {
    t.skip("libsystemd is not installed");
    return undefined;
  }
  const read = async (environments: readonly ListenVariables[]) => {
    const results = await maker.call("listen_fds", environments, OPEN);
    return results.map(({ result, names }): Reading =>
      result === 0 ? "inactive" : result < 0 ? "error" : names
    );
  };
  const own = { LISTEN_PID: String(maker.pid), LISTEN_FDS: "1" };
  const [pidfdId, binary] = await read([
    { ...own, LISTEN_PIDFDID: "malformed" },
    { ...own, LISTEN_FDS: "+0b1" },
  ]);
  const id = await maker.call("pidfd_id");
  return {
    pid: maker.pid,
    pidfdId: id === null ? undefined : BigInt(id),
    comparesPidfdId: pidfdId === "error",
    readsBinary: binary !== "error",
    read,
  };
}

/** Reads an environment with the library. */
function ourReading(
  variables: ListenVariables,
  { pid, pidfdId }: SystemdReader,
): Reading {
  try {
    const read = parseListenEnvironment(variables, { pid, pidfdId });
    if (read.kind !== "activated") return "inactive";
    // Beyond what can be open: compared no further.
    return read.names ?? Array(Math.min(read.count, 9999)).fill("unknown");
  } catch (error) {
    assert.ok(
      error instanceof SyntaxError || error instanceof RangeError ||
        error instanceof ActivationError,
    );
    return "error";
  }
}

const NUMBERS = ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS"] as const;

/**
 * Returns the plain decimal digits of a number that libsystemd reads, through
 * `strtol(3)` and `strtoull(3)`; other text as it is.
 */
function plainNumber(text: string, { readsBinary }: SystemdReader): string {
  const trimmed = text.replace(/^[ \t\n\r]*/, "");
  const prefix = /^0([bo])/i.exec(trimmed)?.[1]?.toLowerCase();
  const rest = prefix === undefined ? trimmed : trimmed.slice(2);
  const binary = /0b[01]+/.source;
  const digits = {
    b: readsBinary ? `${binary}|[01]+` : "[01]+",
    o: "[0-7]+",
    "": `${readsBinary ? `${binary}|` : ""}0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*`,
  }[prefix ?? ""]!;
  const match = new RegExp(`^[ \\t\\n\\v\\f\\r]*([+-]?)(${digits})$`, "i")
    .exec(rest);
  if (match === null) return text;
  const [, sign = "", found = ""] = match;
  const literal = prefix === undefined
    ? found.replace(/^0(?=[0-7]+$)/, "0o")
    : `0${prefix}${found.replace(/^0b/i, "")}`;
  // Bounds the time for very long numbers, which are out of range.
  const value = literal.replace(/^(0[a-z])?0*/i, "").length > 64
    ? 2n ** 65n
    : BigInt(literal);
  if (sign !== "-" || value === 0n) return String(value);
  // Only a sign at the beginning is refused, the number wraps elsewhere.
  return rest.startsWith("-") || value >= 2n ** 64n
    ? String(-value)
    : String(2n ** 64n - value);
}

/** Stands for a colon in a name, which libsystemd takes after a backslash. */
const COLON = "\ue000";

/** Removes backslashes as libsystemd does; `undefined` where it fails. */
function unescapeNames(text: string): string | undefined {
  if (/^(?:[^\\]|\\[^])*\\$/.test(text)) return undefined;
  return text.replace(
    /\\([^])/g,
    (_, character) => character === ":" ? COLON : character,
  );
}

/**
 * The differences that `environment.ts` lists, by their first column: each turns
 * an environment into one that the library reads as libsystemd reads the given
 * one, or into an error.
 */
const DIFFERENCES: readonly (readonly [
  row: string,
  translate: (
    variables: ListenVariables,
    reader: SystemdReader,
  ) => ListenVariables | "error",
])[] = [
  [
    "a number such as ` 2`, `+2`, `02`, `0x2` or `0b10`",
    (variables, reader) => {
      const numbers = NUMBERS.filter((name) => variables[name] !== undefined)
        .map((name) => [name, plainNumber(variables[name]!, reader)]);
      return { ...variables, ...Object.fromEntries(numbers) };
    },
  ],
  ["a backslash in a name", (variables) => {
    if (variables.LISTEN_FDNAMES === undefined) return variables;
    const names = unescapeNames(variables.LISTEN_FDNAMES);
    return names === undefined
      ? "error"
      : { ...variables, LISTEN_FDNAMES: names };
  }],
  [
    "`LISTEN_PIDFDID` set, libsystemd older than 258",
    (variables, { comparesPidfdId }) =>
      comparesPidfdId ? variables : { ...variables, LISTEN_PIDFDID: undefined },
  ],
  [
    "`LISTEN_FDS` unset, `LISTEN_PID` or `LISTEN_PIDFDID` malformed",
    (variables, reader) => {
      const { LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDS } = variables;
      const completed = { LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDS: "1" };
      return LISTEN_FDS === undefined &&
          ourReading(completed, reader) === "error"
        ? "error"
        : variables;
    },
  ],
  [
    "`LISTEN_FDS` exceeds the open descriptors",
    (variables, reader) => {
      const reading = ourReading(variables, reader);
      return Array.isArray(reading) && reading.length > OPEN
        ? "error"
        : variables;
    },
  ],
];

/** Returns the first column of the table of differences in `environment.ts`. */
function documentedDifferences(): string[] {
  const text = fs.readFileSync(
    path.join(ROOT, "src/core/environment.ts"),
    "utf8",
  );
  const rows = [...text.matchAll(/^ \* \| (.+?) \| .+ \| .+ \|$/gm)];
  // The first two are the head of the table and the line below it.
  return rows.slice(2).map(([, cell]) => cell!);
}

/**
 * Checks that libsystemd and the library read environments alike, but for the
 * differences that `environment.ts` lists, and that each of these occurs.
 */
export async function compareReadings(
  t: TestContext,
  reader: SystemdReader,
  environments: readonly ListenVariables[],
): Promise<void> {
  const rows = DIFFERENCES.map(([row]) => row);
  assert.deepEqual(rows, documentedDifferences());
  const readings = await reader.read(environments);
  const seen = new Map<string, number>();
  for (const [index, environment] of environments.entries()) {
    const actual = readings[index]!;
    const ours = ourReading(environment, reader);
    const { reading, used } = translateReading(environment, reader);
    assert.deepEqual(actual, reading, JSON.stringify(environment));
    const occurrences = isDeepStrictEqual(actual, ours)
      ? [typeof ours === "string" ? ours : "activated"]
      : used;
    for (const what of occurrences) seen.set(what, (seen.get(what) ?? 0) + 1);
  }
  for (const [what, count] of seen) t.diagnostic(`${what}: ${count}`);
  for (const what of ["activated", "inactive", "error", ...rows]) {
    // The only difference that depends on the version.
    if (reader.comparesPidfdId && what.includes("older than 258")) continue;
    assert.ok((seen.get(what) ?? 0) > 0, `${what} did not occur`);
  }
}

/** Reads an environment with the library, and applies the differences. */
function translateReading(
  environment: ListenVariables,
  reader: SystemdReader,
): { reading: Reading; used: readonly string[] } {
  let variables = environment;
  const used: string[] = [];
  for (const [row, translate] of DIFFERENCES) {
    const before = variables;
    const after = translate(before, reader);
    if (!isDeepStrictEqual(before, after)) used.push(row);
    if (after === "error") return { reading: "error", used };
    variables = after;
  }
  const reading = ourReading(variables, reader);
  return {
    reading: typeof reading === "string"
      ? reading
      : reading.map((name) => name.replaceAll(COLON, ":")),
    used,
  };
}
