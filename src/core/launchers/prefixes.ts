/**
 * Programs that become another program: `env`, `nice` and the like set something
 * up, and execute the program in the same process, which keeps its number and
 * its descriptors.
 *
 * @module
 */

import { LISTEN_VARIABLES } from "../environment.ts";
import { fileNameOf } from "./names.ts";
import { splitWords } from "./shell.ts";
import type { Launcher } from "./table.ts";

/** A program that becomes another one. */
export interface Prefix {
  /** Its name, such as `nice`. */
  readonly name: string;
  /** The program and its own arguments. */
  readonly words: readonly string[];
}

/** A command without the programs that become it. */
export interface PlainCommand {
  /** The programs before it, in order. */
  readonly prefixes: readonly Prefix[];
  /** The program and its arguments; empty if there is none. */
  readonly words: readonly string[];
  /** The prefix that keeps the program from being activated. */
  readonly obstacle?: Launcher;
}

/** The syntax of a prefix. */
interface PrefixGrammar {
  /** Flags whose value may be the next argument. */
  readonly valueFlags?: string;
  /** Number of arguments before the program. */
  readonly positionals?: number;
  /** The flag without which the program is a child process. */
  readonly needs?: RegExp;
}

const PREFIXES: ReadonlyMap<string, PrefixGrammar> = new Map(
  Object.entries(
    {
      env: {
        valueFlags: "-u --unset -C --chdir -a --argv0",
      },
      nice: { valueFlags: "-n --adjustment" },
      ionice: { valueFlags: "-c --class -n --classdata" },
      nohup: {},
      stdbuf: { valueFlags: "-i --input -o --output -e --error" },
      chrt: {
        valueFlags: "-T --sched-runtime -P --sched-period -D --sched-deadline",
        positionals: 1,
      },
      taskset: { positionals: 1 },
      prlimit: {},
      choom: { valueFlags: "-n --adjust" },
      numactl: {
        valueFlags: "-i --interleave -p --preferred -m --membind -N " +
          "--cpunodebind -C --physcpubind",
      },
      setpriv: {
        valueFlags:
          "--ambient-caps --inh-caps --bounding-set --groups --regid " +
          "--rgid --egid --reuid --ruid --euid --securebits --selinux-label " +
          "--apparmor-profile --pdeathsig",
      },
      "systemd-cat": {
        valueFlags: "-t --identifier -p --priority --stderr-priority",
      },
      gosu: { positionals: 1 },
      "su-exec": { positionals: 1 },
      busybox: {},
      strace: {
        valueFlags: "-a -b -e -E -I -o -O -P -s -S -u -U -X --output --trace",
        needs: /^(?:-[A-Za-z]*D|--daemonize\b)/,
      },
      setarch: { positionals: 1 },
      command: {},
    } satisfies Record<string, PrefixGrammar>,
  ),
);

/** Removes the programs that become another program from a command. */
export function skipPrefixes(command: readonly string[]): PlainCommand {
  const prefixes: Prefix[] = [];
  let words = command;
  for (;;) {
    const name = fileNameOf(words[0] ?? "");
    const grammar = PREFIXES.get(name);
    if (grammar === undefined) return { prefixes, words };
    const count = countOwnWords(name, words, grammar);
    const own = words.slice(0, count);
    if (grammar.needs && !own.some((word) => grammar.needs!.test(word))) {
      return { prefixes, words };
    }
    const obstacle = name === "env" ? environmentObstacle(own) : undefined;
    if (obstacle !== undefined) return { prefixes, words, obstacle };
    prefixes.push({ name, words: own });
    words = [
      ...name === "env" ? splitStringOf(own) : [],
      ...words.slice(count),
    ];
  }
}

/** Counts the words that belong to the prefix. */
function countOwnWords(
  name: string,
  words: readonly string[],
  { valueFlags = "", positionals = 0 }: PrefixGrammar,
): number {
  const flags = valueFlags.split(" ");
  let index = 1;
  for (; words[index]?.startsWith("-"); index++) {
    const word = words[index]!;
    if (name === "env" && SPLIT.test(word)) {
      // The value of a lone -S is the next word, which holds the command.
      return index + (/^(?:-[0iv]*S|--split-string)$/.test(word) ? 2 : 1);
    }
    if (word === "--") {
      index++;
      break;
    }
    if (flags.includes(word)) index++;
  }
  if (name === "env") {
    while (isAssignment(words[index])) index++;
    return index;
  }
  return index + positionals;
}

/** The option of `env` whose value is split into words. */
const SPLIT = /^(?:-[0iv]*S|--split-string(?:=|$))/;

function splitStringOf(own: readonly string[]): string[] {
  const index = own.findIndex((word) => SPLIT.test(word));
  if (index < 0) return [];
  const inline = own[index]!.replace(SPLIT, "");
  const words = splitWords(inline || (own[index + 1] ?? ""));
  // What follows -S is an argument list of env itself.
  return isAssignment(words[0]) || words[0]?.startsWith("-")
    ? ["env", ...words]
    : words;
}

/** Whether a word sets a variable, as `NAME=value` does. */
export function isAssignment(word: string = ""): boolean {
  return /^[^=-][^=]*=/.test(word);
}

/** Returns why a program that `env` starts isn't activated. */
function environmentObstacle(own: readonly string[]): Launcher | undefined {
  const isCleared = own.some((word) =>
    /^-[0v]*i/.test(word) || word === "-" || word === "--ignore-environment"
  );
  if (isCleared) {
    return {
      name: "env -i",
      problem: "removes the variables of socket activation",
      advice: "leave the option out",
    };
  }
  const touched = LISTEN_VARIABLES.find((name) =>
    own.some((word, index) =>
      word.startsWith(`${name}=`) || word === `-u${name}` ||
      word === `--unset=${name}` ||
      (word === name && ["-u", "--unset"].includes(own[index - 1]!))
    )
  );
  return touched === undefined ? undefined : {
    name: "env",
    problem: `changes ${touched}`,
    advice: "let the service manager alone set the variables",
  };
}
