/** The reading of environments, compared with that of libsystemd. */

import fc from "fast-check";
import type { ListenVariables } from "../../../src/core/mod.ts";
import {
  compareReadings,
  OPEN,
  startReader,
} from "../../harness/libsystemd.ts";
import { NO_PYTHON } from "../../harness/machine_tools.ts";
import { test } from "../../harness/timed_test.ts";

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
  { LISTEN_PID: "PID", LISTEN_FDS: "1", LISTEN_PIDFDID: "1" },
  { LISTEN_PID: "PID", LISTEN_FDS: String(OPEN + 1) },
  { LISTEN_PID: "PID", LISTEN_FDS: "2147483644" },
];

test("parseListenEnvironment() reads generated environments like libsystemd", {
  skip: NO_PYTHON,
}, async (t) => {
  const reader = await startReader(t);
  if (reader === undefined) return;
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  const environments = [
    ...EXAMPLES,
    ...fc.sample(anyEnvironment, { numRuns: ENVIRONMENTS, seed }),
  ].map((environment): ListenVariables => ({
    ...environment,
    LISTEN_PID: environment.LISTEN_PID?.replace("PID", String(reader.pid)),
  }));
  await compareReadings(t, reader, environments);
});
