/**
 * Valid environments, changed a little in ways of their grammar, compared with
 * the reading of libsystemd.
 */

import fc from "fast-check";
import {
  LISTEN_VARIABLES,
  type ListenVariables,
} from "../../../src/core/mod.ts";
import {
  compareReadings,
  OPEN,
  startReader,
  type SystemdReader,
} from "../../harness/libsystemd.ts";
import { NO_PYTHON } from "../../harness/machine_tools.ts";
import { test } from "../../harness/timed_test.ts";

const ENVIRONMENTS = 10_000;

/** Another one can be set, to try other environments or to repeat some. */
const SEED = Number(process.env["LISTENFDS_SEED"] ?? 258);

type Text = fc.Arbitrary<string>;

/** Chooses by weights. */
const weighted = <T>(...choices: [weight: number, fc.Arbitrary<T>][]) =>
  fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));

const one = fc.constantFrom<string[]>;

/** Joins the texts of parts. */
const sequence = (...parts: Text[]): Text =>
  fc.tuple(...parts).map((texts) => texts.join(""));

/** Sometimes text, mostly none. */
const rarely = (text: Text): Text => weighted([9, one("")], [1, text]);

const anySpace = one(
  ...[" ", "  ", "\t", "\n", "\r", "\v", "\f", "\u00a0", "\u2003", "\ufeff"],
);
const anySign = one("+", "-", "--", "+-", "\u2212", "\uff0b");

/** The digits of a number in systems that have a prefix, or other scripts. */
function anyNotation(value: bigint): Text {
  const digits = (base: number) => value.toString(base);
  const inScript = (zero: number) =>
    digits(10).replace(
      /\d/g,
      (digit) => String.fromCodePoint(zero + Number(digit)),
    );
  return weighted(
    [30, one(digits(10))],
    [
      10,
      one(
        ...["0x", "0X", "0b", "0B", "0o", "0O", "0"].map((prefix) =>
          prefix + digits({ x: 16, b: 2 }[prefix[1]?.toLowerCase()!] ?? 8)
        ),
        `0x${digits(16).toUpperCase()}`,
      ),
    ],
    [1, one(...[0x660, 0x966, 0xff10, 0x1d7ce].map(inScript))],
    [1, one(`${digits(10)}.0`, `${digits(10)}e0`, `${digits(10)}n`, "0x", "")],
  );
}

/** A number near one that matters: of a type's range, or of another one's. */
const anyBoundary: fc.Arbitrary<bigint> = fc.tuple(
  fc.constantFrom(
    0n,
    0n,
    2n ** 15n,
    2n ** 22n,
    2n ** 31n,
    2n ** 32n,
    10n ** 9n,
  ),
  fc.constantFrom(0n, 0n, 2n ** 63n, 2n ** 64n, 10n ** 40n),
  fc.bigInt(-6n, 6n),
).map(([low, high, delta]) => {
  const value = low + high + delta;
  return value < 0n ? -value : value;
});

/** A number, in one of all forms that strtol(3) or people may read. */
const anyNumber = (value: fc.Arbitrary<bigint>): Text =>
  value.chain((number) =>
    weighted(
      [8, one(String(number))],
      [
        4,
        sequence(
          rarely(anySpace),
          rarely(anySign),
          rarely(one("0", "00", "0".repeat(70))),
          anyNotation(number),
          rarely(anySpace),
        ),
      ],
      // libsystemd removes the prefix before strtol(3) skips spaces and a sign.
      [1, sequence(one("0b", "0o"), anySpace, rarely(anySign), one("1", "10"))],
    )
  );

/** Changes a character of a text: removes, doubles or replaces one, or adds one. */
const changed = (text: Text): Text =>
  fc.tuple(
    text,
    fc.nat({ max: 2000 }),
    fc.nat({ max: 3 }),
    weighted([4, one(..." :\\-+x0192")], [
      1,
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    ]),
  ).map(([before, place, action, character]) => {
    const characters = [...before];
    const index = place % (characters.length + 1);
    const same = characters[index] ?? "";
    const put = ["", same + same, character, character + same][action]!;
    characters.splice(index, 1, put);
    return characters.join("");
  });

/** A byte that is no UTF-8, as `os.fsdecode()` of Python has it. */
const anyByte = fc.integer({ min: 0xdc80, max: 0xdcff }).map((code) =>
  String.fromCharCode(code)
);

const anyName: Text = weighted(
  [120, one("web", "admin", "unknown", "stored", "connection", "a.socket")],
  [30, one("")],
  [20, fc.string({ unit: one(..."aZ9 .-_@%$'\"=;,|"), maxLength: 12 })],
  [20, fc.string({ unit: one(..."ab\\\\:"), maxLength: 6 })],
  [10, fc.string({ unit: "grapheme", maxLength: 5 })],
  [10, fc.string({ unit: one(..."\u0001\u0007\t\n\r\u001b\u007f\u0085") })],
  [10, sequence(one("", "a"), anyByte, one("", ":", "\\", "\u00fc"))],
  [1, fc.integer({ min: 200, max: 9000 }).map((size) => "n".repeat(size))],
);

/** Variables that are right or nearly so. */
function anyEnvironment(
  { pid, pidfdId = 1n }: SystemdReader,
): fc.Arbitrary<ListenVariables> {
  const own = BigInt(pid);
  const pids = weighted(
    [40, one(String(own))],
    [8, anyNumber(fc.constant(own))],
    [
      2,
      anyNumber(
        fc.constantFrom(
          ...[own + 1n, own - 1n, 1n, own * 10n, own + 2n ** 32n],
          ...[own + 2n ** 64n, 2n ** 32n - own, 2n ** 64n - own],
        ),
      ),
    ],
    [2, anyNumber(anyBoundary)],
    [1, changed(one(String(own)))],
  );
  const pidfdIds = weighted(
    [10, one(String(pidfdId))],
    [4, anyNumber(fc.constant(pidfdId))],
    [
      2,
      anyNumber(
        fc.constantFrom(
          ...[0n, pidfdId + 1n, pidfdId + 2n ** 32n, pidfdId + 2n ** 64n],
          2n ** 64n - pidfdId,
        ),
      ),
    ],
    [2, anyNumber(anyBoundary)],
    [1, changed(one(String(pidfdId)))],
  );
  const names = weighted(
    [5, fc.array(anyName, { minLength: 1, maxLength: 6 })],
    [1, fc.array(anyName, { minLength: 1, maxLength: OPEN + 2 })],
  );
  return names.chain((names) => {
    const count = String(names.length);
    const text = names.join(":");
    return fc.record({
      LISTEN_PID: pids,
      LISTEN_PIDFDID: pidfdIds,
      LISTEN_FDS: weighted(
        [6, one(count)],
        [3, anyNumber(fc.constant(BigInt(count)))],
        [1, anyNumber(anyBoundary)],
        [1, changed(one(count))],
      ),
      LISTEN_FDNAMES: weighted([6, one(text)], [1, changed(one(text))]),
      missing: fc.oneof(
        { weight: 6, arbitrary: fc.constant<readonly string[]>([]) },
        { weight: 4, arbitrary: fc.constant(["LISTEN_PIDFDID"]) },
        { weight: 2, arbitrary: fc.subarray([...LISTEN_VARIABLES]) },
      ),
    });
  }).map(({ missing, ...variables }) =>
    Object.fromEntries(
      Object.entries(variables)
        .filter(([name]) => !missing.some((each) => each === name))
        // No variable can hold a NUL.
        .map(([name, value]) => [name, value.replaceAll("\0", "_")]),
    )
  );
}

test(
  `parseListenEnvironment() reads ${ENVIRONMENTS} changed environments like libsystemd`,
  {
    skip: NO_PYTHON,
  },
  async (t) => {
    const reader = await startReader(t);
    if (reader === undefined) return;
    t.diagnostic(`LISTENFDS_SEED=${SEED}`);
    const environments = fc.sample(anyEnvironment(reader), {
      numRuns: ENVIRONMENTS,
      seed: SEED,
    });
    await compareReadings(t, reader, environments);
  },
);
