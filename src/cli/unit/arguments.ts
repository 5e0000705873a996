/**
 * The arguments of the runtimes: where the script is, which of them are paths,
 * and which flags a service needs.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import { LISTEN_VARIABLES } from "../../core/environment.ts";
import { builtin } from "../../runtime/builtin.ts";
import type { RuntimeName } from "../../runtime/versions.ts";
import type { Place } from "../shared/disk.ts";
import { launcher } from "../shared/launchers.ts";
import { UsageError } from "../shared/verb.ts";

/** Arguments for a service. */
export interface Completed {
  readonly words: readonly string[];
  /** The paths among them that have to be readable. */
  readonly paths: readonly string[];
  /** The script's own arguments. */
  readonly rest: readonly string[];
}

/** How a runtime reads its arguments. */
interface Grammar {
  readonly title: string;
  /** The subcommand that runs a script, if one may be written. */
  readonly run: string | undefined;
  /** Other subcommands and flags, and why a service can't use them. */
  readonly refused: Readonly<Record<string, string>>;
  /** Flags whose value is the next argument: a path, a module, or any text. */
  readonly values: ReadonlyMap<string, "path" | "module" | "text">;
  /** Flags after which there is no script. */
  readonly noScript: ReadonlySet<string>;
  /** The flags that a service needs, beside those that were typed. */
  readonly added: (
    flags: readonly string[],
    denoPermissions: readonly string[],
  ) => string[];
}

function valueFlags(
  path: string,
  module: string,
  text: string,
): Grammar["values"] {
  return new Map([
    ...path.split(" ").map((each) => [each, "path"] as const),
    ...module.split(" ").map((each) => [each, "module"] as const),
    ...text.split(" ").map((each) => [each, "text"] as const),
  ]);
}

const CHILD = "name the file that it runs, with its path";

const GRAMMARS: Readonly<Record<RuntimeName, Grammar>> = {
  deno: {
    title: "Deno",
    run: "run",
    refused: {
      "task": CHILD,
      "x": "name the program itself",
    },
    values: valueFlags(
      "-c --config --import-map --lock --cert",
      "--preload --require --import",
      "--ext --location --seed --conditions --node-modules-linker " +
        "--min-dep-age --minimum-dependency-age --inspect-publish-uid -L " +
        "--log-level",
    ),
    noScript: new Set(),
    added: denoFlags,
  },
  bun: {
    title: "Bun",
    run: "run",
    refused: { "x": "name the program itself, from node_modules/.bin" },
    values: valueFlags(
      "--env-file --tsconfig-override --cwd --cpu-prof-dir",
      "-r --preload --require --import",
      "-F --filter --shell --install --port --conditions --title -d --define " +
        "-l --loader --drop --feature --main-fields --extension-order " +
        "--unhandled-rejections --user-agent --max-http-header-size " +
        "--dns-result-order --console-depth --disable-warning",
    ),
    noScript: new Set(["-e", "--eval", "-p", "--print"]),
    // A service downloads nothing.
    added: (flags) =>
      flags.some((flag) => /^(?:--no-install|--install\b|-i)/.test(flag))
        ? []
        : ["--no-install"],
  },
  node: {
    title: "Node",
    run: undefined,
    refused: {
      "--run": CHILD,
      "--watch": "leave it out: systemd restarts services",
      "--watch-path": "leave it out: systemd restarts services",
    },
    values: valueFlags(
      "--env-file --env-file-if-exists --openssl-config --icu-data-dir " +
        "--experimental-config-file --diagnostic-dir",
      "-r --require --import --loader --experimental-loader",
      "-C --conditions --title --input-type --disable-warning " +
        "--unhandled-rejections --max-http-header-size --dns-result-order " +
        "--inspect-port --redirect-warnings --trace-event-categories",
    ),
    noScript: new Set(["-e", "--eval", "-p", "--print"]),
    added: () => [],
  },
};

/**
 * Completes the arguments of a runtime: the script and the files among the flags
 * get absolute paths, and what a service needs is added.
 *
 * @param runtime The runtime.
 * @param args The arguments as they are typed.
 * @param place Where they are typed.
 * @param denoPermissions The permissions that Deno is to be given.
 * @returns The arguments.
 * @throws {UsageError} If there is no script, or it is not run in this process.
 */
export function completeArguments(
  runtime: RuntimeName,
  args: readonly string[],
  place: Place,
  denoPermissions: readonly string[],
): Completed {
  const grammar = GRAMMARS[runtime];
  const { title, run, refused, values, noScript, added } = grammar;
  const [first = ""] = args;
  if (Object.hasOwn(refused, first)) {
    throw launcher(`${runtime} ${first}`, refused[first]!);
  }
  if (runtime === "deno" && first === "serve") {
    throw new UsageError(
      `Reading the arguments of Deno: "deno serve" binds an address itself: ` +
        `use "deno run", and serve() of the library`,
    );
  }
  const isRun = run !== undefined && first === run;
  const flags: string[] = [];
  const paths: string[] = [];
  const resolvePath = (text: string, kind: "path" | "module" | "text") => {
    // A module without a leading dot or slash is looked for by its name.
    const isPath = kind === "path" ||
      (kind === "module" && /^\.{0,2}\//.test(text));
    if (!isPath) return text;
    const path = absolute(text, place);
    paths.push(path);
    return path;
  };
  let hasScript = true;
  let at = isRun ? 1 : 0;
  for (; at < args.length && args[at]!.startsWith("-"); at++) {
    const [flag, value] = splitFlag(args[at]!);
    if (Object.hasOwn(refused, flag)) {
      throw launcher(`${runtime} ${flag}`, refused[flag]!);
    }
    if (noScript.has(flag)) hasScript = false;
    if (flag === "--") {
      at++;
      break;
    }
    const kind = values.get(flag);
    if (kind === undefined) {
      flags.push(args[at]!);
    } else if (value !== undefined) {
      flags.push(`${flag}=${resolvePath(value, kind)}`);
    } else {
      flags.push(flag, resolvePath(args[++at] ?? "", kind));
    }
  }
  const rest = args.slice(hasScript ? at + 1 : at);
  const all = [
    ...runtime === "deno" ? ["run"] : isRun ? [run] : [],
    ...added(flags, denoPermissions),
    ...flags,
  ];
  if (!hasScript) return { words: [...all, ...rest], paths, rest };
  const script = args[at];
  if (script === undefined) {
    throw new UsageError(
      `Reading the arguments of ${title}: there is no script: name the file ` +
        `that the service runs`,
    );
  }
  // Deno runs what it has in its cache, too.
  if (runtime === "deno" && /^[a-z][a-z0-9+.-]*:/i.test(script)) {
    return { words: [...all, script, ...rest], paths, rest };
  }
  const path = absolute(script, place);
  if (place.disk.status(path)?.isFile !== true) {
    throw new UsageError(
      `Finding the script ${quote(script)} of ${title}: there is no such ` +
        `file: ` +
        (/[/.]/.test(script) || script.startsWith("-")
          ? `check the path, and write values of flags as --flag=value`
          : `a script of package.json is started as a child, for which the ` +
            `descriptors are not meant: ${CHILD}`),
    );
  }
  paths.push(path);
  return { words: [...all, path, ...rest], paths, rest };
}

function absolute(path: string, { cwd }: Place): string {
  return builtin("node:path").posix.resolve(cwd, path);
}

function splitFlag(text: string): [flag: string, value: string | undefined] {
  const at = text.indexOf("=");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** The flags that Deno needs, beside those that were typed. */
function denoFlags(
  flags: readonly string[],
  permissions: readonly string[],
): string[] {
  const has = (pattern: RegExp) => flags.some((flag) => pattern.test(flag));
  // Permissions of the configuration file stand alone.
  const allowsAll = has(/^(?:-[A-Za-z]*[AP]|--allow-all$|--permission-set)/);
  const wanted = [
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
      const given = short === undefined
        ? `${name}$`
        : `(?:${name}|-[A-Za-z]*${short}[A-Za-z]*)$`;
      return [[flag, new RegExp(`^${given}`)]];
    }),
  ] as [string, RegExp][];
  return wanted.flatMap(([flag, given]) => has(given) ? [] : [flag]);
}

const SHORT_FLAGS: Readonly<Record<string, string>> = {
  "--allow-net": "N",
  "--allow-read": "R",
  "--allow-write": "W",
};
