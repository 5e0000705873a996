/** The text of units, and the runtimes that they start. */

import { DENO_PERMISSIONS, TOOLS } from "../../harness/hosts.ts";

/** A runtime as the units of a machine start it. */
export interface UnitHost {
  /** The name in test names, such as `node 24` or `deno 2.9 -A`. */
  readonly label: string;
  readonly runtime: "deno" | "bun" | "node";
  /** The way of `service.ts` that serves HTTP. */
  readonly http: "serve" | "portable" | "native" | "http";
  /** Whether the kinds of descriptors can be read. */
  readonly inspects: boolean;
  /** The program in the machine, with what comes before the script. */
  readonly command: readonly string[];
}

/** Deno and Bun both ways, and each Node. */
export const UNIT_HOSTS: readonly UnitHost[] = TOOLS.flatMap(
  ({ label, runtime }): UnitHost[] => {
    const program = `/usr/local/bin/${label.replace(" ", "-")}`;
    const host = (
      suffix: string,
      http: UnitHost["http"],
      ...flags: string[]
    ): UnitHost => ({
      label: label + suffix,
      runtime,
      http,
      inspects: !flags.includes("--no-prompt"),
      command: [program, ...flags],
    });
    switch (runtime) {
      case "deno":
        return [
          host("", "serve", "run", "--cached-only", ...DENO_PERMISSIONS),
          host(" -A", "native", "run", "--cached-only", "-A", "--unstable-net"),
        ];
      case "bun":
        return [
          host(" portable", "portable", "--no-install"),
          host("", "native", "--no-install"),
        ];
      case "node":
        return [host("", "http")];
    }
  },
);

/** One for each way of serving, on the versions that are used most. */
export const MAIN_HOSTS: readonly UnitHost[] = UNIT_HOSTS.filter(({ label }) =>
  label !== "node 22" && label !== "node 26"
);

/** The runtimes' own servers, on the versions that are used most. */
export const NATIVE_HOSTS: readonly UnitHost[] = MAIN_HOSTS.filter(({ http }) =>
  http === "native" || http === "http"
);

/** Each runtime with the server that it has by default. */
export const AUTO_HOSTS: readonly UnitHost[] = UNIT_HOSTS.filter(({ http }) =>
  http !== "portable"
);

/** The path of the tests' service in a machine. */
export const SERVICE = "/opt/listenfds/tests/systemd/programs/service.ts";

/** Lines of a section; a list stands for several lines of one key. */
export type Settings = Readonly<
  Record<string, string | number | readonly (string | number)[]>
>;

function section(name: string, settings: Settings): string {
  const lines = Object.entries(settings).flatMap(([key, value]) =>
    [value].flat().map((each) => `${key}=${each}\n`)
  );
  return `[${name}]\n${lines.join("")}`;
}

/** A socket unit. */
export function socketUnit(settings: Settings): string {
  return section("Socket", settings);
}

/** A service unit that runs `service.ts`, unless the settings say otherwise. */
export function serviceUnit(
  { command, runtime }: UnitHost,
  args: string,
  settings: Settings = {},
  unit: Settings = {},
): string {
  return section("Unit", unit) + section("Service", {
    Type: "exec",
    ExecStart: [...command, SERVICE, args].join(" "),
    // One for all services: what was compiled once is there for the next.
    ...(runtime === "deno" && { Environment: "DENO_DIR=/run/deno" }),
    ...settings,
  });
}
