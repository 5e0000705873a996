/** The predicates, compared with those of libsystemd on the same descriptors. */

import assert from "node:assert/strict";
import fs from "node:fs";
import type { TestContext } from "node:test";
import type { Question } from "../../fixtures/operations.ts";
import { METADATA_AGENT } from "../../harness/agent.ts";
import { become, type Handover, handOver } from "../../harness/handover.ts";
import { forEachHost, type Host, hostsWith } from "../../harness/hosts.ts";
import { NO_PYTHON } from "../../harness/machine_tools.ts";
import { test } from "../../harness/timed_test.ts";

const NO_LIBSYSTEMD = "libsystemd is not installed";

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
interface QuestionPair {
  readonly real: Question;
  readonly ours: Question;
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
function questionsOn(
  fd: number,
  paths: Paths,
  ports: number[],
): QuestionPair[] {
  const { files, sockets, queues, hosts } = paths;
  const question = (
    real: string,
    ours: string,
    realArgs: unknown[],
    ...oursArgs: unknown[]
  ): QuestionPair => ({
    real: [real, fd, ...realArgs],
    // JSON has no undefined.
    ours: [ours, fd, ...oursArgs.filter((argument) => argument !== undefined)],
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

/** The paths and addresses that questions name. */
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

function pathsOf({ directory, queue, maker }: Handover): Paths {
  fs.linkSync(`${directory}/file`, `${directory}/hard link`);
  fs.symlinkSync(`${directory}/fifo`, `${directory}/symbolic link`);
  return {
    files: [
      ...["fifo", "file", "hard link", "symbolic link", "unix", "deleted"].map((
        name,
      ) => `${directory}/${name}`),
      directory,
      "/dev/null",
      "/dev/zero",
      `${directory}/missing`,
      `${directory}/file/missing`,
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
      ].map((name) => `${directory}/${name}`),
      `@listenfds-${maker.pid}`,
      `@listenfds-${maker.pid}\0a@b\0`,
      `@listenfds-${maker.pid}\0`,
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
  host: Host,
): Promise<void> {
  const handover = await handOver(t);
  const { maker, names, ports } = handover;
  if (!await maker.call("has_libsystemd")) return t.skip(NO_LIBSYSTEMD);
  const paths = pathsOf(handover);
  const questions = [
    ...names.flatMap((name, index) =>
      questionsOn(3 + index, paths, [0, 1, ports[name] ?? 2])
    ),
    ...questionsOn(NOT_OPEN, paths, [0, 1]),
  ];
  const real = await maker.call("ask", questions.map(({ real }) => real));
  const expected = real.map((result) => result < 0 ? null : result > 0);
  const agent = await become(handover, host, METADATA_AGENT);
  for (const source of await agent.call("sources")) {
    const answers = await agent.call(
      "ask",
      source,
      questions.map(({ ours }) => ours),
    );
    assert.equal(answers.length, questions.length);
    questions.forEach(({ ours }, index) => {
      const name = names[ours[1] - 3] ?? "closed";
      const mayBeOpen = name === "unix-bytes" ||
        (source === "proc" && MAY_BE_OPEN.includes(name));
      if (mayBeOpen && answers[index] === null) return;
      assert.equal(
        answers[index],
        expected[index],
        `${source}: ${JSON.stringify(ours)} on ${name}: ${real[index]}`,
      );
    });
    const answered = answers.filter((answer) => answer !== null).length;
    assert.ok(answered > questions.length / 2);
    t.diagnostic(
      `${source}: ${answered} of ${questions.length} questions answered`,
    );
  }
}

forEachHost(hostsWith({ inspects: true }), (host) => {
  test(`predicates on ${host.label} answer like libsystemd`, {
    skip: NO_PYTHON,
  }, (t) => comparePredicates(t, host));
});
