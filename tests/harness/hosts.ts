/** The runtimes that tests run on, and the ways in which they are started. */

import path from "node:path";
import process from "node:process";

export const ROOT: string = path.resolve(import.meta.dirname!, "../..");

export type RuntimeName = "deno" | "bun" | "node";

/** A program that runs scripts. */
export interface Tool {
  readonly label: string;
  readonly runtime: RuntimeName;
  readonly version: string;
  readonly path: string;
}

/** The programs of all runtimes. */
export const TOOLS: readonly Tool[] = JSON.parse(
  requireVariable("LISTENFDS_TOOLS", "e2e"),
);

/** Reads a variable that `scripts/test.ts` sets for a suite. */
export function requireVariable(name: string, suite: string): string {
  const value = process.env[name];
  if (value !== undefined) return value;
  throw new Error(`${name} is not set: run deno task test:${suite}`);
}

/** Returns the tool with a label, such as `node 24`. */
export function toolOf(label: string): Tool {
  return TOOLS.find((tool) => tool.label === label)!;
}

/** A runtime, with the way it is started. */
export interface Host {
  /** The name in test names, such as `node 24` or `deno 2.9 -A`. */
  readonly label: string;
  readonly runtime: RuntimeName;
  /** Whether the kinds of descriptors can be read. */
  readonly inspects: boolean;
  /** Whether the runtime's own servers can be put onto descriptors. */
  readonly adopts: boolean;
  /** Whether the runtime's own servers, or those of Node, can be used. */
  readonly hasOwnServers: boolean;
  /** Whether `node:net` takes descriptors. */
  readonly isPortable: boolean;
  /** Whether HTTP can be served at all. */
  readonly serves: boolean;
  /** Whether the command `listenfds` runs: Deno needs all permissions for it. */
  readonly runsCommand: boolean;
  /** Returns the command line that runs a script. */
  readonly command: (script: string, ...args: string[]) => string[];
}

/** The permissions that a service on Deno needs; nothing else. */
export const DENO_PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-env=LISTEN_PID,LISTEN_PIDFDID,LISTEN_FDS,LISTEN_FDNAMES",
];

/** The versions from which on `node:net` takes descriptors. */
const PORTABLE_VERSIONS = { deno: [2, 8], bun: [1, 4], node: [22, 0] } as const;

/** Makes Node 22 start in a quarter of the time; see there. */
const STRIPPED_TYPES = path.join(ROOT, "tests/harness/stripped_types.mjs");

/** All runtimes; Deno twice: with the permissions it needs, and with all. */
export const HOSTS: readonly Host[] = TOOLS.flatMap((tool) =>
  tool.runtime === "deno"
    ? [
      createHost(tool, "", "run", ...DENO_PERMISSIONS),
      createHost(tool, " -A", "run", "-A"),
    ]
    : tool.label === "node 22"
    ? [createHost(tool, "", `--import=${STRIPPED_TYPES}`)]
    : [createHost(tool)]
);

function createHost(tool: Tool, suffix = "", ...flags: string[]): Host {
  const { label, runtime, path } = tool;
  const isLimited = flags.includes("--no-prompt");
  const adopts = runtime !== "node" && !isLimited;
  const isPortable = takesDescriptors(tool);
  return {
    label: label + suffix,
    runtime,
    inspects: !isLimited,
    adopts,
    hasOwnServers: adopts || runtime === "node",
    isPortable,
    serves: adopts || isPortable,
    runsCommand: !isLimited,
    command: (script, ...args) => [path, ...flags, script, ...args],
  };
}

/** Returns the same host, on which programs run with the preload. */
export function withPreload(host: Host): Host {
  const { label, runtime, command } = host;
  const option = runtime === "node" ? "--import" : "--preload";
  return {
    ...host,
    label: `${label} with the preload`,
    command: (script, ...args) => {
      const line = command(script, ...args);
      const index = line.length - args.length - 1;
      return [
        ...line.slice(0, index),
        `${option}=${path.join(ROOT, "src/preload/mod.ts")}`,
        ...line.slice(index),
      ];
    },
  };
}

function takesDescriptors({ runtime, version }: Tool): boolean {
  const [major, minor] = version.split(".").map(Number) as [number, number];
  const [sinceMajor, sinceMinor] = PORTABLE_VERSIONS[runtime];
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}

/** Returns the hosts that have all of some properties. */
export function hostsWith(properties: Partial<Host>): readonly Host[] {
  return HOSTS.filter((host) =>
    Object.entries(properties).every(([name, value]) =>
      host[name as keyof Host] === value
    )
  );
}

/** The host on Node 24, where one is enough. */
export const NODE_HOST: Host = HOSTS.find(({ label }) => label === "node 24")!;

/** The host where one is enough that can call the C library, as Node 26 can. */
export const LIBC_HOST: Host = HOSTS.find(({ runtime, adopts }) =>
  runtime === "bun" && adopts
)!;

/** Labels of the only hosts to test, separated by commas; all by default. */
const ONLY = process.env["LISTENFDS_HOSTS"]?.split(",");

/** Registers tests for each of some hosts. */
export function forEachHost<H extends { readonly label: string }>(
  hosts: readonly H[],
  register: (host: H) => void,
): void {
  for (const host of hosts) {
    if (ONLY === undefined || ONLY.includes(host.label)) register(host);
  }
}
