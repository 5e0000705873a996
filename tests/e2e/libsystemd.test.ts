/**
 * The same questions to the real libsystemd and to this library: on the same
 * descriptors, and on the same environments.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import { test, type TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import {
  ActivationError,
  type ListenVariables,
  parseListenEnvironment,
} from "../../src/core/mod.ts";
import { become, type Handover, handOver, NO_HANDOVER } from "./handover.ts";
import { HOSTS } from "./harness.ts";

/** Numbers of Linux for the names that this library has. */
const FAMILIES = {
  unix: 1,
  ipv4: 2,
  ipv6: 10,
  netlink: 16,
  packet: 17,
  vsock: 40,
} as const;
const TYPES = { stream: 1, datagram: 2, raw: 3, seqpacket: 5 } as const;

/** One question in both forms: a call of libsystemd, and one of ours. */
interface Question {
  readonly real: readonly [name: string, fd: number, ...args: unknown[]];
  readonly ours: readonly [name: string, fd: number, ...args: unknown[]];
}

/** Every combination of what is asked of all sockets. */
const COMMON = [undefined, ...keys(TYPES)].flatMap((type) =>
  [undefined, true, false].map((listening) => ({
    ours: { type, listening },
    type: type === undefined ? 0 : TYPES[type],
    listening: listening === undefined ? -1 : Number(listening),
  }))
);

function keys<T extends object>(object: T): (keyof T)[] {
  return Object.keys(object) as (keyof T)[];
}

/** All questions on one descriptor. */
function questionsOn(fd: number, paths: Paths, ports: number[]): Question[] {
  const { files, sockets, queues, hosts } = paths;
  const question = (
    real: string,
    ours: string,
    realArgs: unknown[],
    ...oursArgs: unknown[]
  ): Question => ({
    real: [real, fd, ...realArgs],
    // JSON has no undefined.
    ours: [ours, fd, ...oursArgs.filter((each) => each !== undefined)],
  });
  return [
    ...[undefined, ...files].flatMap((path) => [
      question("sd_is_fifo", "isFifo", [path ?? null], path),
      question("sd_is_special", "isSpecial", [path ?? null], path),
    ]),
    ...[undefined, ...queues].map((path) =>
      question("sd_is_mq", "isMessageQueue", [path ?? null], path)
    ),
    ...COMMON.flatMap(({ ours, type, listening }) => [
      ...[undefined, ...keys(FAMILIES)].map((family) =>
        question(
          "sd_is_socket",
          "isSocket",
          [family === undefined ? 0 : FAMILIES[family], type, listening],
          { ...ours, family },
        )
      ),
      ...[undefined, "ipv4", "ipv6"].flatMap((family) =>
        ports.map((port) =>
          question(
            "sd_is_socket_inet",
            "isSocketInet",
            [
              family === undefined
                ? 0
                : FAMILIES[family as keyof typeof FAMILIES],
              type,
              listening,
              port,
            ],
            { ...ours, family, port },
          )
        )
      ),
      ...hosts.flatMap((host) =>
        ports.map((port) => {
          const address = { ...host, port };
          const length = host.kind === "ipv4" ? 16 : 28;
          return question(
            "sd_is_socket_sockaddr",
            "isSocketSockaddr",
            [type, address, length, listening],
            address,
            ours,
          );
        })
      ),
      ...[undefined, ...sockets].map((path) =>
        question(
          "sd_is_socket_unix",
          "isSocketUnix",
          [type, listening, ...realPath(path)],
          { ...ours, path },
        )
      ),
    ]),
  ];
}

/** A path as libsystemd takes it: NUL in the place of `@`, with its length. */
function realPath(path: string | undefined): [string | null, number] {
  if (path === undefined) return [null, 0];
  if (!path.startsWith("@")) return [path, 0];
  const name = `\0${path.slice(1)}`;
  return [name, Buffer.byteLength(name)];
}

/** What descriptors are compared with. */
interface Paths {
  readonly files: readonly string[];
  readonly sockets: readonly string[];
  readonly queues: readonly string[];
  readonly hosts: readonly {
    kind: "ipv4" | "ipv6";
    hostname: string;
    scopeId?: number;
  }[];
}

function pathsOf({ folder, queue, agent }: Handover): Paths {
  fs.linkSync(`${folder}/file`, `${folder}/hard link`);
  fs.symlinkSync(`${folder}/fifo`, `${folder}/symbolic link`);
  return {
    files: [
      ...["fifo", "file", "hard link", "symbolic link", "unix", "deleted"].map((
        name,
      ) => `${folder}/${name}`),
      folder,
      "/dev/null",
      "/dev/zero",
      `${folder}/missing`,
      `${folder}/file/missing`,
    ],
    sockets: [
      "",
      ...[
        "unix",
        "un",
        "unix2",
        "b",
        "b\ufffd",
        "un ix @\tü",
        "un\nix\n",
        "datagram",
        "x",
      ].map(
        (
          name,
        ) => `${folder}/${name}`,
      ),
      `@listenfds-${agent.pid}`,
      `@listenfds-${agent.pid}\0a@b\0`,
      `@listenfds-${agent.pid}\0`,
      "@",
    ],
    queues: [queue, "/listenfds-missing"],
    hosts: [
      { kind: "ipv4", hostname: "127.0.0.1" },
      { kind: "ipv4", hostname: "0.0.0.0" },
      { kind: "ipv6", hostname: "::1" },
      { kind: "ipv6", hostname: "::" },
      { kind: "ipv6", hostname: "::ffff:127.0.0.1" },
      { kind: "ipv6", hostname: "fe80::1234" },
      { kind: "ipv6", hostname: "fe80::1234", scopeId: 1 },
      { kind: "ipv6", hostname: "fe80::1234", scopeId: 2 },
      { kind: "ipv6", hostname: "::1", scopeId: 1 },
      { kind: "ipv6", hostname: "ff01::1", scopeId: 1 },
      { kind: "ipv6", hostname: "ff01::1", scopeId: 2 },
    ],
  };
}

/** Why libsystemd can't be asked, if so. */
async function whyNot({ agent }: Handover): Promise<string | undefined> {
  return await agent.call("has_libsystemd")
    ? undefined
    : "libsystemd is not installed";
}

/** A number that no descriptor has, in the maker and in what it becomes. */
const NOT_OPEN = 9000;

/**
 * What `/proc`, or for a path that is no UTF-8 nobody, can tell in part only, so
 * that a question may stay open.
 */
const MAY_BE_OPEN = [
  "tcp4-idle",
  "tcp4-unbound",
  "tcp6-scoped",
  "udp6-scoped",
  "vsock",
  "packet",
  "unix-abstract-odd",
  "netlink",
];

async function comparePredicates(
  t: TestContext,
  host: typeof HOSTS[number],
): Promise<void> {
  const handover = await handOver(t);
  const reason = await whyNot(handover);
  if (reason !== undefined) return t.skip(reason);
  const { agent, names, ports } = handover;
  const paths = pathsOf(handover);
  const questions = [
    ...names.flatMap((name, at) =>
      questionsOn(3 + at, paths, [0, 1, ports[name] ?? 2])
    ),
    ...questionsOn(NOT_OPEN, paths, [0, 1]),
  ];
  const real: number[] = await agent.call(
    "ask",
    questions.map((each) => each.real),
  );
  const expected = real.map((result) => result < 0 ? null : result > 0);
  await become(handover, host);
  for (const source of await agent.call("sources")) {
    const answers: (boolean | null)[] = await agent.call(
      "ask",
      source,
      questions.map((each) => each.ours),
    );
    assert.equal(answers.length, questions.length);
    questions.forEach(({ ours }, at) => {
      const name = names[ours[1] - 3] ?? "closed";
      const mayBeOpen = name === "unix-bytes" ||
        (source === "proc" && MAY_BE_OPEN.includes(name));
      if (mayBeOpen && answers[at] === null) return;
      assert.equal(
        answers[at],
        expected[at],
        `${source}: ${JSON.stringify(ours)} on ${name}: ${real[at]}`,
      );
    });
    const answered = answers.filter((answer) => answer !== null).length;
    assert.ok(answered > questions.length / 2);
    t.diagnostic(
      `${source}: ${answered} of ${questions.length} questions answered`,
    );
  }
}

for (const host of HOSTS.filter(({ inspects }) => inspects)) {
  test(`predicates on ${host.label} answer like libsystemd`, {
    skip: NO_HANDOVER,
  }, (t) => comparePredicates(t, host));
}

/** So many descriptors are open for the environments. */
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

/** What reading an environment gives: names, none, or an error. */
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
  for (let at = 0; at < text.length; at++) {
    if (text[at] === ":") {
      names.push(name);
      name = "";
    } else {
      if (text[at] === "\\" && ++at === text.length) return undefined;
      name += text.charAt(at);
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
  skip: NO_HANDOVER,
}, async (t) => {
  const handover = await handOver(t, ["null"]);
  const reason = await whyNot(handover);
  if (reason !== undefined) return t.skip(reason);
  const { agent } = handover;
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  const environments = [
    ...EXAMPLES,
    ...fc.sample(anyEnvironment, { numRuns: ENVIRONMENTS, seed }),
  ];
  const readings: { result: number; names: string[] }[] = await agent.call(
    "listen_fds",
    environments,
    OPEN,
  );
  const seen = new Map<string, number>();
  environments.forEach((environment, at) => {
    const variables: ListenVariables = Object.fromEntries(
      Object.entries(environment).map(([name, value]) =>
        [name, value?.replace("PID", String(agent.pid))] as const
      ),
    );
    const { result, names } = readings[at]!;
    const real = result === 0 ? "inactive" : result < 0 ? "error" : names;
    const ours = ourReading(variables, agent.pid);
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
