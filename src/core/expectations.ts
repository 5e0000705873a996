/**
 * What a program expects to be handed, checked at once.
 *
 * @module
 */

import type { Activation } from "./activation.ts";
import { Descriptor } from "./descriptor.ts";
import { ActivationError, describeValue, quote, quoteAll } from "./errors.ts";
import {
  EXPECTED_KINDS,
  type ExpectedKind,
  isExpectedKind,
  judgeKind,
} from "./kinds.ts";

/**
 * Which kind the descriptors of each name are to be of; with a list, any of it.
 *
 * @example
 * ```ts
 * import type { Expectations } from "@listenfds/listenfds";
 *
 * const expect: Expectations = {
 *   web: "stream-listener",
 *   dns: ["datagram", "stream-listener"],
 * };
 * ```
 */
export interface Expectations {
  /** The kind, or the kinds, of the descriptors with this name. */
  readonly [name: string]: ExpectedKind | readonly ExpectedKind[];
}

const DOING = "Checking the expected descriptors";
/** How many errors the message has; the cause has all. */
const SHOWN = 20;

/** What is expected of each name. */
export type ReadExpectations = ReadonlyMap<string, readonly ExpectedKind[]>;

/**
 * Reads what is expected, and checks that it could be.
 *
 * @param expected What is expected.
 * @returns The kinds for each name, at least one.
 * @throws {TypeError} If it is no object of kinds.
 */
export function readExpectations(expected: Expectations): ReadExpectations {
  if (
    typeof expected !== "object" || expected === null ||
    Array.isArray(expected)
  ) {
    throw new TypeError(
      `Reading what is expected: expected an object of kinds by name, found ` +
        describeValue(expected),
    );
  }
  return new Map(
    Object.entries(expected).map((
      [name, kinds],
    ) => [name, toList(name, kinds)]),
  );
}

/**
 * Checks that each expected name was passed, and that all of its descriptors
 * are of an expected kind. A kind that can't be told passes. Nothing is claimed.
 *
 * @param activation The descriptors.
 * @param expected What is expected.
 * @throws {TypeError} If an expectation is no kind.
 * @throws {ActivationError} With the code `expectation` and all that is wrong;
 * its `cause` is an `AggregateError` of one `ActivationError` for each.
 */
export function checkExpectations(
  activation: Activation,
  expected: Expectations,
): void {
  const wanted = readExpectations(expected);
  const named = activation.descriptors.filter(({ name }) => wanted.has(name));
  const infos = Descriptor.inspectAll(named);
  const errors = [
    ...[...wanted].flatMap(([name, kinds]) =>
      activation.has(name) ? [] : [missing(activation, name, kinds)]
    ),
    ...named.flatMap((one, at) =>
      judgeKind(one, infos[at]!, wanted.get(one.name)!, DOING) ?? []
    ),
  ];
  if (errors.length === 0) return;
  const details = errors.slice(0, SHOWN).map(({ message }) =>
    message.slice(`${DOING}: `.length)
  );
  if (errors.length > SHOWN) {
    details.push(`and ${errors.length - SHOWN} more`);
  }
  throw new ActivationError(
    "expectation",
    `${DOING}: ${details.join("; ")}`,
    { cause: new AggregateError(errors) },
  );
}

function missing(
  activation: Activation,
  name: string,
  kinds: readonly ExpectedKind[],
): ActivationError {
  return new ActivationError(
    "missing-name",
    `${DOING}: expected ${kinds.join(" or ")} ${quote(name)}, no descriptor ` +
      `has this name; there are ${quoteAll(activation.names)}: set ` +
      `FileDescriptorName= in a socket unit of the service`,
  );
}

function toList(
  name: string,
  kinds: Expectations[string],
): readonly ExpectedKind[] {
  const list: readonly unknown[] = Array.isArray(kinds) ? kinds : [kinds];
  const wrong = list.findIndex((kind) => !isExpectedKind(kind));
  if (list.length === 0 || wrong >= 0) {
    throw new TypeError(
      `Reading what is expected of ${quote(name)}: expected one or more of ` +
        `${EXPECTED_KINDS.join(", ")}, found ${
          list.length === 0 ? "none" : describeValue(list[wrong])
        }`,
    );
  }
  return list as readonly ExpectedKind[];
}
