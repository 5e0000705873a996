/** The programs of frameworks that are restarted under load. */

import path from "node:path";
import { requireVariable, ROOT, toolOf } from "../harness/hosts.ts";
import type { Group } from "../systemd/load/load.ts";
import { ALL_GROUPS, HEALTH_GROUPS } from "../systemd/load/under_load.ts";

/** The directory of the installed programs. */
export const APPS: string = requireVariable("LISTENFDS_APPS", "apps");

const PRELOAD = path.join(ROOT, "src/preload/mod.ts");

/** A program of a framework on a runtime. */
export interface App {
  /** The name in tests and in the table of results. */
  readonly name: string;
  readonly runtime: "deno" | "bun" | "node";
  /** The directory in `tests/apps`. */
  readonly directory: string;
  /** The program, in the directory. */
  readonly program: string;
  /** What the program is to do, before the directory as an argument. */
  readonly verb?: string;
  /** The package whose version is told; by default, the runtime itself. */
  readonly framework?: string;
  /** What it asks for without a setting. */
  readonly port?: number;
  /** Whether it has handlers of ours, not only an answer for its health. */
  readonly hasHandlers?: false;
  /**
   * Whether it listens before it has its routes, so that what waits in the backlog
   * is answered with status 404.
   */
  readonly listensEarly?: true;
  /** What its documentation says to set in production. */
  readonly env?: Readonly<Record<string, string>>;
}

const ON_DISK: readonly App[] = [
  {
    name: "Next.js, next start",
    runtime: "node",
    directory: "next",
    program: "node_modules/next/dist/bin/next",
    verb: "start",
    framework: "next",
  },
  {
    name: "Next.js, standalone",
    runtime: "node",
    directory: "next",
    program: ".standalone/standalone/server.js",
    framework: "next",
  },
  {
    name: "SvelteKit, adapter-node",
    runtime: "node",
    directory: "sveltekit",
    program: "build/index.js",
    framework: "@sveltejs/adapter-node",
  },
  ...(["node", "bun", "deno"] as const).map((runtime): App => {
    const preset = runtime === "bun" ? "bun" : `${runtime}-server`;
    return {
      name: `Nitro, ${preset}`,
      runtime,
      directory: "nitro",
      program: `.output/${preset}/server/index.mjs`,
      framework: "nitropack",
    };
  }),
  {
    name: "Nuxt",
    runtime: "node",
    directory: "nuxt",
    program: ".output/server/index.mjs",
    framework: "nuxt",
  },
  {
    name: "Astro, standalone",
    runtime: "node",
    directory: "astro",
    program: "dist/server/entry.mjs",
    framework: "astro",
    port: 4321,
  },
  {
    name: "AdonisJS",
    runtime: "node",
    directory: "adonis",
    program: "bin/server.js",
    framework: "@adonisjs/core",
    port: 3333,
  },
  {
    name: "code-server",
    runtime: "node",
    directory: "code-server",
    program: "start.cjs",
    framework: "code-server",
    hasHandlers: false,
    listensEarly: true,
    // It listens for its command, too, on a path that has no unit.
    env: { LISTENFDS_UNMATCHED: "bind" },
  },
];

/** Programs of one file each: name, program, package and runtimes. */
const SERVERS: readonly (readonly [
  name: string,
  program: string,
  framework: string | undefined,
  runtimes: readonly App["runtime"][],
])[] = [
  ["Nest", "nest.js", "@nestjs/core", ["node"]],
  ["Express", "express.js", "express", ["node", "bun", "deno"]],
  ["Fastify", "fastify.js", "fastify", ["node"]],
  ["Koa", "koa.js", "koa", ["node"]],
  ["Hono, node-server", "hono_node.js", "@hono/node-server", ["node"]],
  ["Hono", "hono.js", "hono", ["bun", "deno"]],
  ["h3", "h3.js", "h3", ["node", "bun", "deno"]],
  ["Elysia", "elysia.js", "elysia", ["bun"]],
  ["http.createServer", "http.js", undefined, ["node", "bun", "deno"]],
  ["Bun.serve", "bun.js", undefined, ["bun"]],
  ["Deno.serve", "deno.js", undefined, ["deno"]],
];

/** All programs. */
export const ALL_APPS: readonly App[] = [
  ...ON_DISK,
  ...SERVERS.flatMap(([name, program, framework, runtimes]) =>
    runtimes.map((runtime): App => ({
      name,
      runtime,
      directory: "servers",
      program,
      ...framework !== undefined && { framework },
    }))
  ),
];

const LABELS = { deno: "deno 2.9", bun: "bun 1.4", node: "node 24" } as const;

/** Returns the program's name, with the runtime. */
export function titleOf({ name, runtime }: App): string {
  return `${name} on ${runtime}`;
}

/** Returns the label of the runtime that a program runs on. */
export function runtimeLabelOf({ runtime }: App): string {
  return LABELS[runtime];
}

/** Returns the clients of a program. */
export function groupsOf({ hasHandlers }: App): readonly Group[] {
  return hasHandlers === false ? HEALTH_GROUPS : ALL_GROUPS;
}

/** Returns the port that a program asks for without a setting. */
export function askedPort({ port = 3000 }: App): number {
  return port;
}

/** Returns the command line of a program, with or without the preload. */
export function commandOf(app: App, isPreloaded: boolean): string[] {
  const { runtime, directory, program, verb } = app;
  const option = runtime === "node" ? "--import" : "--preload";
  return [
    toolOf(runtimeLabelOf(app)).path,
    ...runtime === "deno" ? ["run", "-A", "--quiet"] : [],
    ...isPreloaded ? [`${option}=${PRELOAD}`] : [],
    path.join(APPS, directory, program),
    ...verb === undefined ? [] : [verb, path.join(APPS, directory)],
  ];
}

/** Returns the variables that a program has in production. */
export function environmentOf({ env = {} }: App): Record<string, string> {
  return {
    NODE_ENV: "production",
    NEXT_TELEMETRY_DISABLED: "1",
    NO_COLOR: "1",
    ...env,
  };
}
