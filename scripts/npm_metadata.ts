/**
 * What `package.json` of the npm package says beside its entry points, whichever
 * tool builds it.
 *
 * @module
 */

import { distributionTag } from "./release_version.ts";

/** What is read of `deno.json`. */
interface Config {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
}

/** The fields of `package.json` that no tool finds out by itself. */
export interface NpmMetadata {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly keywords: string[];
  readonly license: string;
  /** Where the sources are, where that is known: npm's provenance needs it. */
  readonly repository?: { readonly type: "git"; readonly url: string };
  readonly engines: Readonly<Record<string, string>>;
  /** How `npm publish` publishes the package. */
  readonly publishConfig: {
    readonly access: "public";
    readonly tag?: string;
  };
  /** What a bundler may not leave out, because it acts when it is imported. */
  readonly sideEffects: string[];
}

/** The command, and the file that runs it. */
export const COMMAND = { name: "listenfds", path: "./src/cli/bin.ts" } as const;

/** `deno.json`, which the version and the entry points come from. */
export const CONFIG: Config = JSON.parse(
  Deno.readTextFileSync(new URL("../deno.json", import.meta.url)),
);

/**
 * Makes the fields.
 *
 * @param env Reads a variable of the environment: a build in a workflow knows
 * there which repository it is of.
 * @returns The fields.
 */
export function npmMetadata(
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
): NpmMetadata {
  const server = env("GITHUB_SERVER_URL");
  const repository = env("GITHUB_REPOSITORY");
  const tag = distributionTag(CONFIG.version);
  return {
    name: CONFIG.name,
    version: CONFIG.version,
    description:
      "systemd socket activation with named descriptors, on Deno, Bun and Node",
    keywords: [
      "systemd",
      "socket-activation",
      "sd_listen_fds",
      "listen_fds",
      "deno",
      "bun",
      "node",
      "server",
    ],
    license: CONFIG.license,
    ...(server && repository && {
      repository: { type: "git", url: `git+${server}/${repository}.git` },
    }),
    publishConfig: { access: "public", ...tag && { tag } },
    engines: { node: ">=22.12", bun: ">=1.2.6", deno: ">=2.3" },
    sideEffects: ["**/src/cli/*.js", "**/src/preload/*.js"],
  };
}
