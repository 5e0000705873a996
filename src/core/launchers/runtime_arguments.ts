/**
 * The arguments of Deno, Bun and Node before the script.
 *
 * @module
 */

import type { RuntimeName } from "../types.ts";
import { type Launcher, NAME_THE_SCRIPT } from "./table.ts";

/** A flag before the script. */
export interface RuntimeFlag {
  readonly name: string;
  /** Its value, if one was found. */
  readonly value?: string;
  /** The kind of the value; `undefined` for a flag without a known value. */
  readonly kind?: "path" | "module" | "text";
  /** The words that it was read from. */
  readonly words: readonly string[];
}

/** Arguments of a runtime. */
export interface RuntimeCommand {
  /** The subcommand, such as `run`. */
  readonly subcommand?: string;
  /** The flags before the script. */
  readonly flags: readonly RuntimeFlag[];
  /** The script and its arguments. */
  readonly rest: readonly string[];
  /** True if a flag has the code, so that no script follows. */
  readonly hasCode: boolean;
}

/** Syntax of a runtime's arguments. */
interface RuntimeGrammar {
  readonly subcommands: string;
  readonly valueFlags: ReadonlyMap<string, "path" | "module" | "text">;
  readonly codeFlags: readonly string[];
}

function flagKinds(
  kinds: Readonly<Record<"path" | "module" | "text", string>>,
): RuntimeGrammar["valueFlags"] {
  return new Map(
    (["path", "module", "text"] as const).flatMap((kind) =>
      kinds[kind].split(" ").map((flag) => [flag, kind] as const)
    ),
  );
}

const CODE_FLAGS = ["-e", "--eval", "-p", "--print", "-pe"];

const GRAMMARS: Readonly<Record<RuntimeName, RuntimeGrammar>> = {
  deno: {
    subcommands: "run task x serve",
    valueFlags: flagKinds({
      path: "-c --config --import-map --lock --cert",
      module: "--preload --require --import",
      text: "--ext --location --seed --conditions --node-modules-linker " +
        "--min-dep-age --minimum-dependency-age --inspect-publish-uid -L " +
        "--log-level",
    }),
    codeFlags: [],
  },
  bun: {
    subcommands: "run x",
    valueFlags: flagKinds({
      path: "--env-file --tsconfig-override --cwd --cpu-prof-dir",
      module: "-r --preload --require --import",
      text:
        "-F --filter --shell --install --port --conditions --title -d --define " +
        "-l --loader --drop --feature --main-fields --extension-order " +
        "--unhandled-rejections --user-agent --max-http-header-size " +
        "--dns-result-order --console-depth --disable-warning",
    }),
    codeFlags: CODE_FLAGS,
  },
  node: {
    subcommands: "inspect",
    valueFlags: flagKinds({
      path: "--env-file --env-file-if-exists --openssl-config " +
        "--icu-data-dir --experimental-config-file --diagnostic-dir " +
        "--watch-path",
      module: "-r --require --import --loader --experimental-loader",
      text: "-C --conditions --title --input-type --disable-warning " +
        "--unhandled-rejections --max-http-header-size --dns-result-order " +
        "--inspect-port --redirect-warnings --trace-event-categories --run",
    }),
    codeFlags: CODE_FLAGS,
  },
};

/** Reads the arguments of a runtime up to the script. */
export function readRuntimeArguments(
  runtime: RuntimeName,
  args: readonly string[],
): RuntimeCommand {
  const { valueFlags, codeFlags, subcommands } = GRAMMARS[runtime];
  const flags: RuntimeFlag[] = [];
  let subcommand: string | undefined;
  let index = 0;
  for (; index < args.length; index++) {
    const word = args[index]!;
    if (word === "--") {
      index++;
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      if (subcommand !== undefined || !subcommands.split(" ").includes(word)) {
        break;
      }
      subcommand = word;
      // What follows is read by the task, the program or the debugger.
      if (!["run", "serve"].includes(word)) {
        index++;
        break;
      }
      continue;
    }
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    const kind = valueFlags.get(name);
    const isSeparate = kind !== undefined && equals < 0;
    if (isSeparate) index++;
    const value = isSeparate
      ? args[index] ?? ""
      : equals < 0
      ? undefined
      : word.slice(equals + 1);
    flags.push({
      name,
      ...value !== undefined && { value },
      ...kind !== undefined && { kind },
      words: isSeparate ? [word, args[index] ?? ""] : [word],
    });
  }
  return {
    ...subcommand !== undefined && { subcommand },
    flags,
    rest: args.slice(index),
    hasCode: flags.some(({ name }) => codeFlags.includes(name)),
  };
}

const WATCH_FLAGS: Readonly<Record<RuntimeName, RegExp>> = {
  deno: /^--watch(?:-hmr)?$/,
  bun: /^--(?:watch|hot)$/,
  node: /^--watch(?:-path)?$/,
};

/** Returns what of a runtime's own options makes it a launcher, if anything. */
export function runtimeLauncher(
  program: string,
  runtime: RuntimeName,
  args: readonly string[],
): Launcher | undefined {
  const { subcommand, flags, rest } = readRuntimeArguments(runtime, args);
  if (subcommand === "task") {
    return { name: "deno task", advice: NAME_THE_SCRIPT };
  }
  if (subcommand === "x") {
    return {
      name: `${runtime} x`,
      advice: "start the program itself, from node_modules/.bin",
    };
  }
  if (subcommand === "inspect") {
    return {
      name: "node inspect",
      advice: "use node --inspect, which debugs the same process",
    };
  }
  if (runtime === "node" && flags.some(({ name }) => name === "--run")) {
    return { name: "node --run", advice: NAME_THE_SCRIPT };
  }
  const filter = flags.find(({ name }) =>
    runtime === "bun" && /^(?:-F|--filter|--workspaces)$/.test(name)
  );
  if (filter !== undefined) {
    return { name: `bun ${filter.name}`, advice: NAME_THE_SCRIPT };
  }
  const watch = flags.find(({ name }) => WATCH_FLAGS[runtime].test(name));
  if (watch === undefined) return undefined;
  return {
    name: `${runtime} ${watch.name}`,
    // Node starts a child process.
    ...runtime !== "node" && {
      problem:
        "starts the program again, and the descriptors are passed only " +
        "once",
    },
    advice: `leave ${watch.name} out`,
    isWatcher: true,
    instead: [
      program,
      ...subcommand === undefined ? [] : [subcommand],
      ...flags.filter(({ name }) => !/^--(?:watch|hot)/.test(name))
        .flatMap(({ words }) => words),
      ...rest,
    ],
    // Bun evaluates the program again in the same process, which keeps its
    // servers.
    ...watch.name === "--hot" && { condition: "in-units" },
  };
}

/** Subcommands that a script can't have as its name without `run`. */
const BUILT_IN: Readonly<Record<RuntimeName, string>> = {
  deno: "add approve-scripts audit bench bump-version bundle cache check ci " +
    "clean compile completions coverage create deploy doc eval fmt help info " +
    "init install jupyter lint lsp outdated pack publish remove repl sandbox " +
    "test types uninstall update upgrade",
  bun: "a add audit build c create discord exec feedback getcompletes help i " +
    "info init install link list outdated patch pm publish remove repl rm test " +
    "unlink update upgrade why",
  node: "",
};

/**
 * Returns the script of a package that a runtime would start as a child process,
 * unless there is a file of this name.
 */
export function packageScript(
  runtime: RuntimeName,
  args: readonly string[],
): string | undefined {
  if (runtime === "node") return undefined;
  const { subcommand, rest: [script], hasCode } = readRuntimeArguments(
    runtime,
    args,
  );
  if (hasCode || script === undefined || !/^[\w:@-]+$/.test(script)) {
    return undefined;
  }
  const isRun = subcommand === "run" ||
    subcommand === undefined && !BUILT_IN[runtime].split(" ").includes(script);
  return isRun ? script : undefined;
}
