/**
 * The check that a program was passed the descriptors that it expects.
 *
 * @module
 */

import type { Activation } from "./activation.ts";
import { Descriptor } from "./descriptor.ts";
import {
  ActivationError,
  describeValue,
  isRecord,
  quote,
  quoteAll,
} from "./errors.ts";
import {
  EXPECTED_KINDS,
  type ExpectedKind,
  isExpectedKind,
  judgeKind,
} from "./kinds.ts";

/**
 * The expected kind of the descriptors of each name; any kind of a list will do.
 *
 * @example
 * ```ts
 * import type { Expectations } from "@listenfds/listenfds/core";
 *
 * const expect: Expectations = {
 *   web: "stream-listener",
 *   dns: ["datagram", "stream-listener"],
 * };
 * ```
 */
export interface Expectations {
  /** The kind of the descriptors with this name, or the list of valid kinds. */
  readonly [name: string]: ExpectedKind | readonly ExpectedKind[];
}

/** The number of errors in the message; the cause has all of them. */
const SHOWN_ERRORS = 20;

/**
 * Validates the expected kinds.
 *
 * @returns The kinds of each name, at least one.
 * @throws {TypeError} If the value isn't an object of kinds by name.
 */
export function readExpectations(
  expected: Expectations,
): ReadonlyMap<string, readonly ExpectedKind[]> {
  if (!isRecord(expected)) {
    throw new TypeError(
      `Reading the expected kinds: expected an object of kinds by name, such ` +
        `as { web: "stream-listener" }, found ${describeValue(expected)}`,
    );
  }
  return new Map(
    Object.entries(expected).map(([name, kinds]) => {
      const list: readonly unknown[] = Array.isArray(kinds) ? kinds : [kinds];
      const invalid = list.findIndex((kind) => !isExpectedKind(kind));
      if (list.length > 0 && invalid < 0) {
        return [name, list as readonly ExpectedKind[]];
      }
      throw new TypeError(
        `Reading the expected kinds of ${quote(name)}: expected one or more ` +
          `of ${EXPECTED_KINDS.join(", ")}, found ${
            list.length === 0 ? "none" : describeValue(list[invalid])
          }`,
      );
    }),
  );
}

/**
 * Checks that each expected name was passed, and that all of its descriptors are
 * of an expected kind. A descriptor of unknown kind passes. Claims nothing.
 *
 * @param activation The activation to check.
 * @param expected The expected kinds by name; other names are ignored.
 * @throws {TypeError} If an expected kind is invalid.
 * @throws {ActivationError} With the code `unexpected-kinds` and every mismatch in the
 * message, up to 20. The `cause` is an `AggregateError` with an
 * `ActivationError` for each mismatch.
 */
export function checkExpectations(
  activation: Activation,
  expected: Expectations,
): void {
  const action = "Checking the expected descriptors";
  const kindsByName = readExpectations(expected);
  const available = quoteAll(activation.names);
  const errors: ActivationError[] = [];
  for (const [name, kinds] of kindsByName) {
    if (activation.has(name)) continue;
    errors.push(
      new ActivationError(
        "missing-name",
        `${action}: expected ${kinds.join(" or ")} ${quote(name)}, no ` +
          `descriptor has this name; there are ${available}: ` +
          `set FileDescriptorName= in a socket unit of the service`,
      ),
    );
  }
  const descriptors = activation.descriptors.filter(({ name }) =>
    kindsByName.has(name)
  );
  const infos = Descriptor.inspectAll(descriptors);
  for (const [index, descriptor] of descriptors.entries()) {
    const kinds = kindsByName.get(descriptor.name)!;
    const error = judgeKind(descriptor, infos[index]!, kinds, action);
    if (error !== undefined) errors.push(error);
  }
  if (errors.length === 0) return;
  const problems = errors.slice(0, SHOWN_ERRORS).map(({ message }) =>
    message.slice(`${action}: `.length)
  );
  if (errors.length > SHOWN_ERRORS) {
    problems.push(`and ${errors.length - SHOWN_ERRORS} more`);
  }
  throw new ActivationError(
    "unexpected-kinds",
    `${action}: ${problems.join("; ")}`,
    { cause: new AggregateError(errors) },
  );
}
