/**
 * Reads the arguments of a verb that takes a command behind `--`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { quote } from "../../core/errors.ts";
import { UsageError } from "./verb.ts";

/**
 * What an option takes: nothing, one value, several (given again and again, or
 * one after another), or several or none, with `=` in front of the first.
 */
export type OptionKind = "flag" | "value" | "list" | "optional-list";

/** The arguments, sorted. */
export interface Options<Name extends string> {
  /** The options that were given, with their values. */
  readonly given: ReadonlyMap<Name, readonly string[]>;
  /** What is behind `--`; `undefined` if there is no `--`. */
  readonly command: readonly string[] | undefined;
}

/**
 * Sorts arguments.
 *
 * @param verb The verb, for messages.
 * @param kinds The options that there are.
 * @param args The arguments.
 * @throws {UsageError} If there is another one, or a value is missing.
 */
export function parseOptions<Name extends string>(
  verb: string,
  kinds: Readonly<Record<Name, OptionKind>>,
  args: readonly string[],
): Options<Name> {
  const options = Object.entries<OptionKind>(kinds).map(([name, kind]) => {
    const type = kind === "value" || kind === "list" ? "string" : "boolean";
    return [name, { type: type as "string" | "boolean", multiple: true }];
  });
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(options),
    // The runtimes word their errors differently.
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<Name, string[]>();
  let command: readonly string[] | undefined;
  let list: Name | undefined;
  const fail = (text: string): never => {
    throw new UsageError(
      `Reading the arguments: ${text}: see listenfds ${verb} --help`,
    );
  };
  for (const token of tokens) {
    if (token.kind === "option-terminator") {
      command = args.slice(token.index + 1);
      break;
    }
    if (token.kind === "positional") {
      if (list === undefined) {
        fail(`expected an option or "--", found ${quote(token.value)}`);
      }
      given.get(list!)!.push(token.value);
      continue;
    }
    const name = token.name as Name;
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined || !token.rawName.startsWith("--")) {
      fail(`unknown option ${quote(token.rawName)}`);
    }
    if (kind === "flag" && token.value !== undefined) {
      fail(`${quote(token.rawName)} takes no value`);
    }
    const isMissing = token.value === undefined || token.value === "" ||
      (!token.inlineValue && token.value.startsWith("-"));
    if (isMissing && (kind === "value" || kind === "list")) {
      fail(`${quote(token.rawName)} needs a value`);
    }
    if (kind === "value" && given.has(name)) {
      fail(`${quote(token.rawName)} was given twice`);
    }
    const values = given.get(name) ?? [];
    if (token.value !== undefined && token.value !== "") {
      values.push(token.value);
    }
    given.set(name, values);
    const isList = kind === "list" ||
      (kind === "optional-list" && token.value !== undefined);
    list = isList ? name : undefined;
  }
  return { given, command };
}
