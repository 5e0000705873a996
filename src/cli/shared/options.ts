/**
 * Parses the options of a verb that takes a command after `--`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { quote } from "../../core/errors.ts";
import { closestWord } from "./suggestion.ts";
import { UsageError } from "./verb.ts";

/**
 * How an option takes values: none, exactly one, at least one, or any number
 * with `=` in front of the first. The values of a list follow one another or
 * repeat the option.
 */
export type OptionKind = "flag" | "value" | "list" | "optional-list";

/** Parsed arguments of a verb. */
export interface ParsedOptions<Name extends string> {
  /** Values of each option that is present. */
  readonly values: ReadonlyMap<Name, readonly string[]>;
  /** Words after `--`; `undefined` without `--`. */
  readonly command: readonly string[] | undefined;
}

/** Creates the error for wrong arguments. */
export function argumentError(problem: string): UsageError {
  return new UsageError(`Reading the arguments: ${problem}`);
}

/** Parses the arguments of a verb, which is named in errors. */
export function parseOptions<Name extends string>(
  verb: string,
  kinds: Readonly<Record<Name, OptionKind>>,
  args: readonly string[],
): ParsedOptions<Name> {
  const fail = (problem: string) =>
    argumentError(`${problem}: see listenfds ${verb} --help`);
  const parsed = new Map<Name, string[]>();
  let currentList: string[] | undefined;
  let lastOption = "";
  for (const token of tokenize(kinds, args)) {
    if (token.kind === "option-terminator") {
      return { values: parsed, command: args.slice(token.index + 1) };
    }
    if (token.kind === "positional") {
      if (currentList === undefined) {
        throw kinds[lastOption as Name] === "optional-list"
          ? fail(
            `expected an option or "--", found ${quote(token.value)}: write ` +
              quote(`--${lastOption}=${token.value}`),
          )
          : fail(`expected an option or "--", found ${quote(token.value)}`);
      }
      currentList.push(token.value);
      continue;
    }
    const { rawName, value = "", inlineValue } = token;
    const name = token.name as Name;
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined || !rawName.startsWith("--")) {
      const meant = meantOption(args[token.index]!, Object.keys(kinds));
      const problem = `unknown option ${quote(rawName)}`;
      if (meant === undefined) throw fail(problem);
      throw argumentError(`${problem}: did you mean --${meant}?`);
    }
    lastOption = name;
    if (kind === "flag" && token.value !== undefined) {
      throw fail(`${quote(rawName)} takes no value`);
    }
    const isMissing = value === "" || (!inlineValue && value.startsWith("-"));
    if (isMissing && (kind === "value" || kind === "list")) {
      throw fail(`${quote(rawName)} needs a value`);
    }
    if (kind === "value" && parsed.has(name)) {
      throw fail(`${quote(rawName)} was given twice`);
    }
    const values = parsed.get(name) ?? [];
    if (value !== "") values.push(value);
    parsed.set(name, values);
    const takesMore = kind === "list" ||
      (kind === "optional-list" && token.value !== undefined);
    currentList = takesMore ? values : undefined;
  }
  return { values: parsed, command: undefined };
}

/** Returns the option that is meant by a word such as `--sokcet=x` or `-s`. */
function meantOption(
  word: string,
  names: readonly string[],
): string | undefined {
  const [typed] = word.replace(/^-+/, "").split("=") as [string];
  // A letter alone is the beginning of an option.
  return typed.length === 1
    ? names.find((name) => name.startsWith(typed))
    : closestWord(typed, names);
}

/** Splits arguments without checks, because the runtimes' errors differ. */
function tokenize(
  kinds: Readonly<Record<string, OptionKind>>,
  args: readonly string[],
): NonNullable<ReturnType<typeof parseArgs>["tokens"]> {
  const options = Object.entries(kinds).map(([name, kind]) => {
    const takesValue = kind === "value" || kind === "list";
    return [name, { type: takesValue ? "string" : "boolean", multiple: true }];
  });
  return parseArgs({
    args: [...args],
    options: Object.fromEntries(options),
    strict: false,
    allowPositionals: true,
    tokens: true,
  }).tokens;
}
