/**
 * Completes the arguments of a runtime for a service: absolute paths and the
 * flags that a service needs.
 *
 * @module
 */

import path from "node:path";
import { quote } from "../../core/errors.ts";
import { LISTEN_VARIABLES } from "../../core/environment.ts";
import {
  readRuntimeArguments,
  type RuntimeFlag,
} from "../../core/launchers/runtime_arguments.ts";
import type { RuntimeName } from "../../core/types.ts";
import type { ShellContext } from "../shared/disk.ts";
import { UsageError } from "../shared/verb.ts";

/** Arguments of a runtime in a service. */
export interface RuntimeArguments {
  readonly words: readonly string[];
  /** Paths among the words that the service must be able to read. */
  readonly paths: readonly string[];
  /** Arguments of the script. */
  readonly rest: readonly string[];
}

/** How a runtime's arguments are completed. */
interface Completion {
  readonly title: string;
  /** Returns the flags that a service needs besides the typed ones. */
  readonly addFlags: (
    flags: readonly string[],
    denoPermissions: readonly string[],
    variables: readonly string[],
  ) => string[];
}

const COMPLETIONS: Readonly<Record<RuntimeName, Completion>> = {
  deno: { title: "Deno", addFlags: missingDenoFlags },
  bun: {
    title: "Bun",
    // A service must not download packages.
    addFlags: (flags) =>
      flags.some((flag) => /^(?:--no-install|--install\b|-i)/.test(flag))
        ? []
        : ["--no-install"],
  },
  node: { title: "Node", addFlags: () => [] },
};

/**
 * Completes the arguments of a runtime: paths become absolute, and the flags
 * that a service needs are added.
 *
 * @param variables The variables that a program on Deno may read.
 * @throws {UsageError} If the script is missing, or would run in another
 * process.
 */
export function completeArguments(
  runtime: RuntimeName,
  args: readonly string[],
  context: ShellContext,
  denoPermissions: readonly string[],
  variables: readonly string[] = LISTEN_VARIABLES,
): RuntimeArguments {
  const { title, addFlags } = COMPLETIONS[runtime];
  const { subcommand, flags, rest: after, hasCode } = readRuntimeArguments(
    runtime,
    args,
  );
  if (subcommand === "serve") {
    throw new UsageError(
      `Reading the arguments of Deno: "deno serve" binds an address itself: ` +
        `use "deno run", and serve() of the library`,
    );
  }
  const { words: typed, paths } = absoluteFlags(flags, context);
  const before = [
    ...runtime === "deno" ? ["run"] : subcommand === "run" ? ["run"] : [],
    ...addFlags(typed, denoPermissions, variables),
    ...typed,
  ];
  if (hasCode) return { words: [...before, ...after], paths, rest: after };
  const [script, ...rest] = after;
  if (script === undefined) {
    throw new UsageError(
      `Reading the arguments of ${title}: there is no script: name the file ` +
        `that the service runs`,
    );
  }
  // Deno also runs modules from its cache by their URL.
  if (runtime === "deno" && /^[a-z][a-z0-9+.-]*:/i.test(script)) {
    return { words: [...before, script, ...rest], paths, rest };
  }
  const file = path.posix.resolve(context.cwd, script);
  if (context.disk.status(file)?.isFile !== true) {
    throw new UsageError(
      `Finding the script ${quote(script)} of ${title}: there is no such ` +
        `file: ` +
        (/[/.]/.test(script) || script.startsWith("-")
          ? `check the path, and write values of flags as --flag=value`
          : `a script of package.json runs in a child process, for which the ` +
            `descriptors are not meant: name the file that it runs, with its ` +
            `path`),
    );
  }
  return { words: [...before, file, ...rest], paths: [...paths, file], rest };
}

/** Makes the paths among flags absolute. */
function absoluteFlags(
  flags: readonly RuntimeFlag[],
  { cwd }: ShellContext,
): { words: string[]; paths: string[] } {
  const paths: string[] = [];
  const words = flags.flatMap(({ name, value, kind, words }) => {
    // A module without a leading dot or slash is a package.
    const isPath = kind === "path" ||
      kind === "module" && /^\.{0,2}\//.test(value ?? "");
    if (!isPath || value === undefined) return words;
    const absolute = path.posix.resolve(cwd, value);
    paths.push(absolute);
    return words.length > 1 ? [name, absolute] : [`${name}=${absolute}`];
  });
  return { words, paths };
}

/** Returns the flags that Deno needs besides the typed ones. */
function missingDenoFlags(
  flags: readonly string[],
  permissions: readonly string[],
  variables: readonly string[],
): string[] {
  const has = (pattern: RegExp) => flags.some((flag) => pattern.test(flag));
  // A permission set of the configuration file (-P) replaces other flags.
  const allowsAll = has(/^(?:-[A-Za-z]*[AP]|--allow-all$|--permission-set)/);
  const needed = [
    ["--no-prompt", /^--no-prompt$/],
    ["--cached-only", /^--cached-only$/],
    ...allowsAll ? [] : [
      [
        `--allow-env=${variables.join(",")}`,
        /^(?:-[A-Za-z]*E[A-Za-z]*|--allow-env)$/,
      ],
    ],
    ...permissions.flatMap((flag) => {
      if (flag.startsWith("--allow-") && allowsAll) return [];
      const [name = ""] = flag.split("=", 1);
      const short = SHORT_FLAGS[name];
      const pattern = short === undefined
        ? `${name}$`
        : `(?:${name}|-[A-Za-z]*${short}[A-Za-z]*)$`;
      return [[flag, new RegExp(`^${pattern}`)]];
    }),
  ] as [string, RegExp][];
  return needed.flatMap(([flag, pattern]) => has(pattern) ? [] : [flag]);
}

const SHORT_FLAGS: Readonly<Record<string, string>> = {
  "--allow-net": "N",
  "--allow-read": "R",
  "--allow-write": "W",
};
