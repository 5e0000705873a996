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
import { showProgress } from "./progress.ts";

/** A runtime to run things on. */
export interface Tool {
  /** What to call it, such as `node 24`. */
  readonly label: string;
  /** Which runtime it is. */
  readonly runtime: "deno" | "bun" | "node";
  /** The exact version. */
  readonly version: string;
  /** The absolute path of the program. */
  readonly path: string;
}

/** A version to fetch. */
type Version = Omit<Tool, "path">;

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

/** What packs the package, and checks it as programs that use it would. */
const PACKAGE_TOOLS: Readonly<Record<string, string>> = {
  "@arethetypeswrong/cli": "0.18.5",
  "@types/bun": "1.4.5",
  "@types/deno": "2.7.0",
  "@types/node": "26.6.6",
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
  const [tool] = await fetchTools(VERSIONS, DIRECTORY, [label]);
  return tool!;
}

/**
 * Fetches what is not there yet, showing progress.
 *
 * @returns All runtimes, Deno first.
 */
export async function toolchain(): Promise<Tool[]> {
  const tools = await fetchTools(VERSIONS, DIRECTORY);
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
export function olderToolchain(): Promise<Tool[]> {
  return fetchTools(OLDER_VERSIONS, new URL("older/", DIRECTORY));
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

async function fetchTools(
  versions: readonly Version[],
  directory: URL,
  labels: readonly string[] = versions.map(({ label }) => label),
): Promise<Tool[]> {
  const all = versions.map((each) => {
    const alias = each.label.replace(" ", "-");
    const program = each.runtime === "deno" ? "deno" : `bin/${each.runtime}`;
    return {
      ...each,
      alias,
      package: packageName(each.runtime),
      path: fileURLToPath(
        new URL(`node_modules/${alias}/${program}`, directory),
      ),
    };
  });
  const wanted = all.filter(({ label }) => labels.includes(label));
  const missing: typeof all = [];
  const present: typeof all = [];
  for (const each of all) {
    const isPresent = await versionOf(each.path) === each.version;
    if (isPresent) present.push(each);
    else if (wanted.includes(each)) missing.push(each);
  }
  if (missing.length > 0) {
    await fetchPackages(
      Object.fromEntries(
        // What is left out would be removed.
        [...present, ...missing].map((each) => [
          each.alias,
          `npm:${each.package}@${each.version}`,
        ]),
      ),
      directory,
      missing.map(({ label }) => label).join(", "),
    );
    for (const each of missing) {
      if (await versionOf(each.path) === each.version) continue;
      throw new Error(
        `Fetching ${each.label}: the npm package ${each.package} ` +
          `${each.version} is missing, or its program doesn't run on this ` +
          `machine: check that the npm registry can be reached, and try again`,
      );
    }
  }
  return wanted;
}

function packageName(runtime: Tool["runtime"]): string {
  const { os, arch } = Deno.build;
  if ((os !== "linux" && os !== "darwin")) {
    throw new Error(
      `Fetching runtimes: expected Linux or macOS, found ${os}: the library ` +
        `can be imported there, but there is nothing to activate`,
    );
  }
  const machine = arch === "aarch64" ? "arm64" : "x64";
  switch (runtime) {
    case "deno":
      return `@deno/${os}-${machine}${os === "linux" ? "-glibc" : ""}`;
    case "bun":
      return `@oven/bun-${os}-${arch === "aarch64" ? arch : machine}`;
    case "node":
      return `node-${os}-${machine}`;
  }
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(path, {
      args: ["--version"],
      stderr: "null",
    }).output();
    if (!success) return undefined;
    // "1.2.3", "v1.2.3" or "deno 1.2.3 (…)"
    return /\d+\.\d+\.\d+/.exec(new TextDecoder().decode(stdout))?.[0];
  } catch {
    return undefined;
  }
}

async function fetchPackages(
  dependencies: Record<string, string>,
  directory: URL,
  what: string,
): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  const writeJson = (name: string, value: unknown) =>
    Deno.writeTextFile(
      new URL(name, directory),
      `${JSON.stringify(value, null, 2)}\n`,
    );
  // A configuration of its own, or Deno would use the project's.
  await writeJson("deno.json", { nodeModulesDir: "manual" });
  await writeJson("package.json", { private: true, dependencies });
  await runDeno(["install"], directory, what);
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

async function runDeno(
  args: readonly string[],
  directory: URL,
  what: string,
): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: directory,
    stdin: "null",
  });
  const { success, stderr } = await showProgress(
    `Fetching ${what}`,
    command.output(),
  );
  if (!success) {
    throw new Error(
      `Fetching ${what} from the npm registry failed: ` +
        `${new TextDecoder().decode(stderr).trim()}: check that it can be ` +
        `reached, and try again`,
    );
  }
}
