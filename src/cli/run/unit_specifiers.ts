/**
 * Values of the specifiers in socket units (`systemd.unit(5)`), such as `%t`.
 *
 * @module
 */

import os from "node:os";
import process from "node:process";
import { nameSpecifiers } from "../shared/systemd/unit_file.ts";
import { readSystemFile } from "../shared/text_file.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Returns the values of specifiers by their letters, without those that this
 * machine has no value for.
 *
 * @param unit Name of the unit, such as `web@1.socket`.
 * @param file Path of the unit's file.
 */
export function unitSpecifiers(
  unit: string,
  file: string,
  env: Environment,
): Record<string, string> {
  const values: Record<string, string | undefined> = {
    ...nameSpecifiers(unit),
    ...unescapedSpecifiers(unit),
    ...directorySpecifiers(env),
    ...userSpecifiers(env),
    ...machineSpecifiers(),
    y: file,
    Y: file.slice(0, file.lastIndexOf("/")) || "/",
  };
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Record<string, string>;
}

/** Returns the specifiers of a name whose escapes are undone. */
function unescapedSpecifiers(unit: string): Record<string, string> {
  const { p = "", i = "", N = "" } = nameSpecifiers(unit);
  const lastPart = p.slice(p.lastIndexOf("-") + 1);
  const named = N.includes("@") && i !== "" ? i : p;
  return {
    I: unescapeName(i),
    P: unescapeName(p),
    j: lastPart,
    J: unescapeName(lastPart),
    f: `/${unescapeName(named).replace(/^\/+/, "")}`,
  };
}

/** Undoes `systemd-escape(1)`: `-` is a slash, and `\x2d` a byte in hexadecimal. */
function unescapeName(name: string): string {
  return name.replaceAll("-", "/").replace(
    /(?:\\x[0-9a-f]{2})+/gi,
    (escapes) =>
      new TextDecoder().decode(
        Uint8Array.from(
          escapes.slice(2).split("\\x"),
          (hex) => parseInt(hex, 16),
        ),
      ),
  );
}

/** Returns directories, as for system units (root) or user units. */
function directorySpecifiers(
  env: Environment,
): Record<string, string | undefined> {
  const temporary = {
    T: env["TMPDIR"] ?? "/tmp",
    V: env["TMPDIR"] ?? "/var/tmp",
  };
  // Units are those of the system, as for root.
  if (process.getuid?.() === 0) {
    return {
      ...temporary,
      t: "/run",
      S: "/var/lib",
      C: "/var/cache",
      L: "/var/log",
      E: "/etc",
      D: "/usr/share",
    };
  }
  const inHome = (variable: string, directory: string) =>
    env[variable] ?? (env["HOME"] && `${env["HOME"]}/${directory}`);
  const state = inHome("XDG_STATE_HOME", ".local/state");
  return {
    ...temporary,
    t: env["XDG_RUNTIME_DIR"],
    S: state,
    C: inHome("XDG_CACHE_HOME", ".cache"),
    L: state && `${state}/log`,
    E: inHome("XDG_CONFIG_HOME", ".config"),
    D: inHome("XDG_DATA_HOME", ".local/share"),
  };
}

function userSpecifiers(env: Environment): Record<string, string | undefined> {
  return {
    u: readOptional(() => os.userInfo().username),
    U: process.getuid?.().toString(),
    g: readGroupName(process.getgid?.()),
    G: process.getgid?.().toString(),
    h: env["HOME"],
    s: readOptional(() => os.userInfo().shell ?? undefined),
  };
}

function readGroupName(id: number | undefined): string | undefined {
  return readTextLines("/etc/group").map((line) => line.split(":"))
    .find((fields) => fields[2] === String(id))?.[0];
}

function machineSpecifiers(): Record<string, string | undefined> {
  const release = readAssignments("/etc/os-release");
  const pretty = readAssignments("/etc/machine-info").get("PRETTY_HOSTNAME");
  const hostname = readOptional(() => os.hostname());
  return {
    a: ARCHITECTURES[process.arch] ?? process.arch,
    A: release.get("IMAGE_VERSION") ?? "",
    b: readTextLines("/proc/sys/kernel/random/boot_id")[0]?.replaceAll(
      "-",
      "",
    ) ||
      undefined,
    B: release.get("BUILD_ID") ?? "",
    H: hostname,
    l: hostname?.split(".")[0],
    m: readTextLines("/etc/machine-id")[0] || undefined,
    M: release.get("IMAGE_ID") ?? "",
    o: release.get("ID"),
    q: pretty ?? hostname,
    v: readOptional(() => os.release()),
    w: release.get("VERSION_ID") ?? "",
    W: release.get("VARIANT_ID") ?? "",
  };
}

/** systemd's names of architectures (`ConditionArchitecture=`). */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "x86-64",
  ia32: "x86",
};

/** Reads the assignments of `os-release(5)`. */
function readAssignments(file: string): Map<string, string> {
  return new Map(
    readTextLines(file).flatMap((line) => {
      const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
      return key === undefined
        ? []
        : [[key, value!.replace(/^(["'])(.*)\1$/, "$2")]];
    }),
  );
}

function readTextLines(file: string): string[] {
  return readSystemFile(file).split("\n");
}

function readOptional<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
