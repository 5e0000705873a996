/** The reading of environments, compared with that of libsystemd. */

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import {
  ActivationError,
  type ListenVariables,
  parseListenEnvironment,
} from "../../../src/core/mod.ts";
import { handOver } from "../../harness/handover.ts";
import { NO_PYTHON } from "../../harness/machine_tools.ts";
import { test } from "../../harness/timed_test.ts";

/** The number of descriptors that are open when environments are read. */
const OPEN = 40;
const ENVIRONMENTS = 3000;

/** Numbers as they should be, as they could be, and as they never are. */
const anyNumber = fc.oneof(
  fc.integer({ min: -3, max: OPEN + 3 }).map(String),
  fc.constantFrom(
    ...["", " ", "0", "-0", "00", "01", "010", "0x2", "0X2", "0b10", "0o10"],
    ...["1e3", "2.0", "2.", "+2", " 2", "2 ", "\t2", "2\n", "٣", "２", "1_000"],
    ...["2147483644", "2147483645", "2147483647", "2147483648", "4294967298"],
    ...["18446744073709551618", "--1", "NaN", "0x", "2,", "1:2"],
  ),
  fc.string({ unit: fc.constantFrom(..."0129x-+ e"), maxLength: 5 }),
);

/** `PID` stands for the number of the process that reads it. */
const anyPid = fc.oneof(
  { weight: 12, arbitrary: fc.constant("PID") },
  {
    weight: 2,
    arbitrary: fc.constantFrom("0PID", "PID ", " PID", "+PID", "PID0", "1"),
  },
  { weight: 1, arbitrary: anyNumber },
);

const anyName = fc.oneof(
  fc.constantFrom("", "web", "unknown", "connection", "a b", " ", "\t", "\n"),
  fc.constantFrom("ü", "a\\b", "\\", "a\\", '"q"', "'", "%n", "x".repeat(300)),
  fc.string({ maxLength: 6 }).map((name) => name.replaceAll("\0", "_")),
);

const anyEnvironment: fc.Arbitrary<ListenVariables> = fc.oneof(
  fc.record({
    LISTEN_PID: anyPid,
    LISTEN_FDS: anyNumber,
    LISTEN_FDNAMES: fc.array(anyName, { maxLength: 8 }).map((names) =>
      names.join(":")
    ),
  }, { requiredKeys: [] }),
  // Names that fit the number are rare by chance.
  fc.tuple(anyPid, fc.array(anyName, { minLength: 1, maxLength: 10 })).map((
    [LISTEN_PID, names],
  ) => ({
    LISTEN_PID,
    LISTEN_FDS: String(names.length),
    LISTEN_FDNAMES: names.join(":"),
  })),
);

/** At least one for each difference. */
const EXAMPLES: readonly ListenVariables[] = [
  { LISTEN_PID: "PID", LISTEN_FDS: "0x2" },
  { LISTEN_PID: " PID", LISTEN_FDS: "2" },
  { LISTEN_PID: "PID", LISTEN_FDS: "1", LISTEN_FDNAMES: "a\\b" },
  { LISTEN_PID: "abc" },
  { LISTEN_PID: "PID", LISTEN_FDS: String(OPEN + 1) },
  { LISTEN_PID: "PID", LISTEN_FDS: "2147483644" },
];

/** The result of reading an environment: names, none, or an error. */
type Reading = readonly string[] | "inactive" | "error";

function ourReading(variables: ListenVariables, pid: number): Reading {
  try {
    const read = parseListenEnvironment(variables, { pid });
    if (read.kind !== "activated") return "inactive";
    // Beyond what can be open: compared no further.
    return read.names ?? Array(Math.min(read.count, 9999)).fill("unknown");
  } catch (error) {
    assert.ok(
      error instanceof SyntaxError || error instanceof RangeError ||
        error instanceof ActivationError,
    );
    return "error";
  }
}

/** Names as libsystemd splits them; `undefined` where it fails. */
function unescapeNames(text: string): string[] | undefined {
  const names: string[] = [];
  let name = "";
  for (let index = 0; index < text.length; index++) {
    if (text[index] === ":") {
      names.push(name);
      name = "";
    } else {
      if (text[index] === "\\" && ++index === text.length) return undefined;
      name += text.charAt(index);
    }
  }
  return [...names, name];
}

/** The differences that environment.ts lists, and where each applies. */
const DIFFERENCES: Readonly<
  Record<
    string,
    (variables: ListenVariables, ours: Reading, real: Reading) => boolean
  >
> = {
  "a number in another form": ({ LISTEN_PID, LISTEN_FDS }, ours) =>
    ours === "error" &&
    [LISTEN_PID, LISTEN_FDS].some((text) =>
      text !== undefined && !/^(0|[1-9][0-9]*)$/.test(text)
    ),
  "a backslash in a name": ({ LISTEN_FDS, LISTEN_FDNAMES }, ours, real) => {
    if (LISTEN_FDNAMES?.includes("\\") !== true) return false;
    const unescaped = unescapeNames(LISTEN_FDNAMES);
    if (unescaped === undefined) return real === "error";
    const names = LISTEN_FDNAMES.split(":");
    const reading = (names: readonly string[]) =>
      names.length === Number(LISTEN_FDS) ? names : "error";
    return isDeepStrictEqual(ours, reading(names)) &&
      isDeepStrictEqual(real, reading(unescaped));
  },
  "no LISTEN_FDS, and a LISTEN_PID that is none": (
    { LISTEN_FDS },
    ours,
    real,
  ) => LISTEN_FDS === undefined && ours === "inactive" && real === "error",
  "more than are open": ({ LISTEN_FDS }, ours, real) =>
    Number(LISTEN_FDS) > OPEN && ours !== "inactive" && real === "error",
};

test("parseListenEnvironment() reads generated environments like libsystemd", {
  skip: NO_PYTHON,
}, async (t) => {
  const { maker } = await handOver(t, ["null"]);
  if (!await maker.call("has_libsystemd")) {
    return t.skip("libsystemd is not installed");
  }
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  const environments = [
    ...EXAMPLES,
    ...fc.sample(anyEnvironment, { numRuns: ENVIRONMENTS, seed }),
  ];
  const readings = await maker.call("listen_fds", environments, OPEN);
  const seen = new Map<string, number>();
  environments.forEach((environment, index) => {
    const variables: ListenVariables = Object.fromEntries(
      Object.entries(environment).map(([name, value]) =>
        [name, value?.replace("PID", String(maker.pid))] as const
      ),
    );
    const { result, names } = readings[index]!;
    const real = result === 0 ? "inactive" : result < 0 ? "error" : names;
    const ours = ourReading(variables, maker.pid);
    const note = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);
    try {
      assert.deepEqual(ours, real, JSON.stringify(variables));
      note(typeof ours === "string" ? ours : "activated");
    } catch (error) {
      const difference = Object.keys(DIFFERENCES).find((name) =>
        DIFFERENCES[name]!(variables, ours, real)
      );
      if (difference === undefined) throw error;
      note(difference);
    }
  });
  for (const [what, count] of seen) t.diagnostic(`${what}: ${count}`);
  for (
    const what of [
      "activated",
      "inactive",
      "error",
      ...Object.keys(DIFFERENCES),
    ]
  ) {
    assert.ok((seen.get(what) ?? 0) > 0, `${what} did not occur`);
  }
});
