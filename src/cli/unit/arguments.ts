/**
 * Completes the arguments of a runtime for a service: absolute paths and the
 * flags that a service needs.
 *
 * @module
 */

import path from "node:path";
import { quote } from "../../core/errors.ts";
import { LISTEN_VARIABLES } from "../../core/environment.ts";
import type { RuntimeName } from "../../core/types.ts";
import type { ShellContext } from "../shared/disk.ts";
import { UsageError } from "../shared/verb.ts";
import { launcherError } from "./launchers.ts";

/** Arguments of a runtime in a service. */
export interface RuntimeArguments {
  readonly words: readonly string[];
  /** Paths among the words that the service must be able to read. */
  readonly paths: readonly string[];
  /** Arguments of the script. */
  readonly rest: readonly string[];
}

/** Syntax of a runtime's arguments. */
interface ArgumentGrammar {
  readonly title: string;
  /** Optional subcommand that runs a script. */
  readonly run: string | undefined;
  /** Subcommands and flags that a service can't use, with what to do. */
  readonly refused: Readonly<Record<string, string>>;
  /** Flags whose value may be the next argument. */
  readonly valueFlags: ReadonlyMap<string, "path" | "module" | "text">;
  /** Flags that take code, so that no script follows. */
  readonly evalFlags: readonly string[];
  /** Returns the flags that a service needs besides the typed ones. */
  readonly addFlags: (
    flags: readonly string[],
    denoPermissions: readonly string[],
  ) => string[];
}

function flagKinds(
  kinds: Readonly<Record<"path" | "module" | "text", string>>,
): ArgumentGrammar["valueFlags"] {
  return new Map(
    (["path", "module", "text"] as const).flatMap((kind) =>
      kinds[kind].split(" ").map((flag) => [flag, kind] as const)
    ),
  );
}

const NAME_THE_FILE = "name the file that it runs, with its path";

const GRAMMARS: Readonly<Record<RuntimeName, ArgumentGrammar>> = {
  deno: {
    title: "Deno",
    run: "run",
    refused: {
      "task": NAME_THE_FILE,
      "x": "name the program itself",
    },
    valueFlags: flagKinds({
      path: "-c --config --import-map --lock --cert",
      module: "--preload --require --import",
      text: "--ext --location --seed --conditions --node-modules-linker " +
        "--min-dep-age --minimum-dependency-age --inspect-publish-uid -L " +
        "--log-level",
    }),
    evalFlags: [],
    addFlags: missingDenoFlags,
  },
  bun: {
    title: "Bun",
    run: "run",
    refused: { "x": "name the program itself, from node_modules/.bin" },
    valueFlags: flagKinds({
      path: "--env-file --tsconfig-override --cwd --cpu-prof-dir",
      module: "-r --preload --require --import",
      text:
        "-F --filter --shell --install --port --conditions --title -d --define " +
        "-l --loader --drop --feature --main-fields --extension-order " +
        "--unhandled-rejections --user-agent --max-http-header-size " +
        "--dns-result-order --console-depth --disable-warning",
    }),
    evalFlags: ["-e", "--eval", "-p", "--print"],
    // A service must not download packages.
    addFlags: (flags) =>
      flags.some((flag) => /^(?:--no-install|--install\b|-i)/.test(flag))
        ? []
        : ["--no-install"],
  },
  node: {
    title: "Node",
    run: undefined,
    refused: {
      "--run": NAME_THE_FILE,
      "--watch": "leave it out: systemd restarts services",
      "--watch-path": "leave it out: systemd restarts services",
    },
    valueFlags: flagKinds({
      path: "--env-file --env-file-if-exists --openssl-config " +
        "--icu-data-dir --experimental-config-file --diagnostic-dir",
      module: "-r --require --import --loader --experimental-loader",
      text: "-C --conditions --title --input-type --disable-warning " +
        "--unhandled-rejections --max-http-header-size --dns-result-order " +
        "--inspect-port --redirect-warnings --trace-event-categories",
    }),
    evalFlags: ["-e", "--eval", "-p", "--print"],
    addFlags: () => [],
  },
};

/**
 * Completes the arguments of a runtime: paths become absolute, and the flags
 * that a service needs are added.
 *
 * @throws {UsageError} If the script is missing, or would run in another
 * process.
 */
export function completeArguments(
  runtime: RuntimeName,
  args: readonly string[],
  context: ShellContext,
  denoPermissions: readonly string[],
): RuntimeArguments {
  const { title, run, addFlags } = GRAMMARS[runtime];
  const [first = ""] = args;
  refuseFlag(runtime, first);
  if (runtime === "deno" && first === "serve") {
    throw new UsageError(
      `Reading the arguments of Deno: "deno serve" binds an address itself: ` +
        `use "deno run", and serve() of the library`,
    );
  }
  const hasRun = run !== undefined && first === run;
  const { flags, paths, hasScript, count } = separateFlags(
    runtime,
    hasRun ? args.slice(1) : args,
    context,
  );
  const before = [
    ...runtime === "deno" ? ["run"] : hasRun ? [run] : [],
    ...addFlags(flags, denoPermissions),
    ...flags,
  ];
  const after = args.slice(count + (hasRun ? 1 : 0));
  if (!hasScript) return { words: [...before, ...after], paths, rest: after };
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
            `descriptors are not meant: ${NAME_THE_FILE}`),
    );
  }
  return { words: [...before, file, ...rest], paths: [...paths, file], rest };
}

/** Reads the flags before the script, and makes the paths among them absolute. */
function separateFlags(
  runtime: RuntimeName,
  args: readonly string[],
  { cwd }: ShellContext,
): { flags: string[]; paths: string[]; hasScript: boolean; count: number } {
  const { valueFlags, evalFlags } = GRAMMARS[runtime];
  const flags: string[] = [];
  const paths: string[] = [];
  let hasScript = true;
  let index = 0;
  for (; args[index]?.startsWith("-"); index++) {
    const [flag, inlineValue] = splitFlag(args[index]!);
    refuseFlag(runtime, flag);
    if (flag === "--") {
      index++;
      break;
    }
    if (evalFlags.includes(flag)) hasScript = false;
    const kind = valueFlags.get(flag);
    if (kind === undefined) {
      flags.push(args[index]!);
      continue;
    }
    let value = inlineValue ?? args[++index] ?? "";
    // A module without a leading dot or slash is a package.
    if (kind === "path" || (kind === "module" && /^\.{0,2}\//.test(value))) {
      value = path.posix.resolve(cwd, value);
      paths.push(value);
    }
    flags.push(
      ...inlineValue === undefined ? [flag, value] : [`${flag}=${value}`],
    );
  }
  return { flags, paths, hasScript, count: index };
}

function refuseFlag(runtime: RuntimeName, flag: string): void {
  const { refused } = GRAMMARS[runtime];
  if (!Object.hasOwn(refused, flag)) return;
  throw launcherError(`${runtime} ${flag}`, refused[flag]!);
}

function splitFlag(text: string): [flag: string, value: string | undefined] {
  const index = text.indexOf("=");
  return index < 0
    ? [text, undefined]
    : [text.slice(0, index), text.slice(index + 1)];
}

/** Returns the flags that Deno needs besides the typed ones. */
function missingDenoFlags(
  flags: readonly string[],
  permissions: readonly string[],
): string[] {
  const has = (pattern: RegExp) => flags.some((flag) => pattern.test(flag));
  // A permission set of the configuration file (-P) replaces other flags.
  const allowsAll = has(/^(?:-[A-Za-z]*[AP]|--allow-all$|--permission-set)/);
  const needed = [
    ["--no-prompt", /^--no-prompt$/],
    ["--cached-only", /^--cached-only$/],
    ...allowsAll ? [] : [
      [
        `--allow-env=${LISTEN_VARIABLES.join(",")}`,
        /^(?:-[A-Za-z]*E[A-Za-z]*|--allow-env)$/,
      ],
    ],
    ...permissions.flatMap((flag) => {
      if (flag.startsWith("--allow-") && allowsAll) return [];
      const [name] = splitFlag(flag);
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
