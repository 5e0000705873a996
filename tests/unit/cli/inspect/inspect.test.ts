import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DescriptorInfo, Inspector } from "../../../../src/core/info.ts";
import {
  type ListenVariables,
  parseListenEnvironment,
} from "../../../../src/core/environment.ts";
import { examine } from "../../../../src/cli/inspect/examine.ts";
import { formatFds } from "../../../../src/cli/inspect/findings.ts";
import { inspectVerb } from "../../../../src/cli/inspect/inspect.ts";
import { formatJson } from "../../../../src/cli/inspect/json.ts";
import {
  type Finding,
  isInOrder,
  type Report,
  type Subject,
} from "../../../../src/cli/inspect/report.ts";
import { formatReport } from "../../../../src/cli/inspect/table.ts";
import { styleFor } from "../../../../src/cli/inspect/style.ts";
import { type Output, UsageError } from "../../../../src/cli/shared/verb.ts";
import { anyText, assertMessage, ipv4, ipv6 } from "../../helpers.ts";

const FLAGS = { nonBlocking: true, closeOnExec: false };

const WEB: DescriptorInfo = {
  kind: "stream-listener",
  family: "ipv4",
  type: "stream",
  protocol: 6,
  listening: true,
  address: ipv4("127.0.0.1", 8080),
  inode: 2n ** 63n,
  link: "socket:[4711]",
  ...FLAGS,
};
const WEB6: DescriptorInfo = {
  ...WEB,
  family: "ipv6",
  address: ipv6("::1", 80),
};
const ADMIN: DescriptorInfo = {
  kind: "stream-listener",
  family: "unix",
  type: "stream",
  listening: true,
  address: { kind: "unix", path: "/run/app/x.sock" },
  ...FLAGS,
};

/** Descriptors from 3 on; all others are closed. */
function inspector(infos: readonly DescriptorInfo[]): Inspector {
  return {
    inspect: (fds) =>
      fds.map((fd) =>
        fd < 3
          ? { kind: "fifo", inode: BigInt(fd) }
          : infos[fd - 3] ?? { kind: "closed" }
      ),
    inspectPath: () => undefined,
  };
}

function subject(
  infos: readonly DescriptorInfo[],
  changes: Partial<Subject> = {},
): Subject {
  return {
    runtime: "deno",
    version: "2.9.6",
    platform: "linux",
    pid: 42,
    pidfdId: () => undefined,
    commandLine: () => undefined,
    inspector: inspector(infos),
    source: "libc",
    acceptQueue: (fd) => fd === 3 ? { waiting: 2, limit: 4096 } : undefined,
    noAdopter: undefined,
    setsCloseOnExecAtStart: false,
    ...changes,
  };
}

/** The variables as a service manager sets them. */
function variables(...names: string[]): ListenVariables {
  return {
    LISTEN_PID: "42",
    LISTEN_FDS: String(names.length),
    LISTEN_FDNAMES: names.join(":"),
  };
}

const output = (isTerminal: boolean): Output => ({ write() {}, isTerminal });
const PLAIN = styleFor(output(false), {});

/** What is wrong, as codes with the numbers of descriptors. */
function problems({ findings }: Report): string[] {
  return findings.filter(({ isProblem }) => isProblem).map(summary);
}

function notes({ findings }: Report): string[] {
  return findings.filter(({ isProblem }) => !isProblem).map(summary);
}

function summary({ code, fds }: Finding): string {
  return [code, ...fds].join(" ");
}

test("examine() finds nothing wrong in what a service manager hands over", () => {
  const report = examine(variables("web", "web", "admin"), {
    ...subject([WEB, WEB6, ADMIN]),
  });
  assert.equal(report.state, "activated");
  assert.ok(isInOrder(report));
  assert.deepEqual(report.findings, []);
  assert.deepEqual(
    report.descriptors.map(({ fd, name, queue }) => [fd, name, queue?.limit]),
    [[3, "web", 4096], [4, "web", undefined], [5, "admin", undefined]],
  );
});

test("examine() reports all that is wrong at once, not the first alone", () => {
  const report = examine({
    LISTEN_PID: "x",
    LISTEN_PIDFDID: "-1",
    LISTEN_FDS: "2",
    LISTEN_FDNAMES: "a\n",
  }, subject([WEB]));
  assert.equal(report.state, "malformed");
  assert.deepEqual(problems(report), [
    "malformed",
    "malformed",
    "name-count",
    "name-form 3",
    "closed 4",
  ]);
  for (const { message } of report.findings) assertMessage(message);
});

const cases: [string, ListenVariables, Report["state"], string[], string[]][] =
  [
    ["nothing", {}, "absent", ["missing"], ["uncounted 3"]],
    [
      "no count",
      { LISTEN_PID: "42", LISTEN_FDNAMES: "web" },
      "absent",
      ["missing"],
      ["uncounted 3"],
    ],
    [
      "no process",
      { LISTEN_FDS: "1", LISTEN_FDNAMES: "web" },
      "absent",
      ["missing"],
      [],
    ],
    [
      "a count in another form",
      { ...variables("web"), LISTEN_FDS: "0x1" },
      "malformed",
      ["malformed"],
      ["uncounted 3"],
    ],
    [
      "more than a process can hold",
      { ...variables("web"), LISTEN_FDS: "1048577" },
      "malformed",
      ["malformed"],
      ["uncounted 3"],
    ],
    [
      "no names",
      {
        LISTEN_PID: "42",
        LISTEN_FDS: "1",
      },
      "activated",
      [],
      ["no-names"],
    ],
    [
      "too few counted",
      { LISTEN_PID: "42", LISTEN_FDS: "1", LISTEN_FDNAMES: "web:admin" },
      "malformed",
      ["name-count"],
      [],
    ],
    [
      "another process",
      { ...variables("web"), LISTEN_PID: "41" },
      "foreign",
      ["foreign"],
      [],
    ],
    [
      "another process, and more",
      { LISTEN_PID: "41", LISTEN_FDS: "zero", LISTEN_FDNAMES: "" },
      "foreign",
      ["malformed", "foreign"],
      ["uncounted 3"],
    ],
    [
      "a name that is too long",
      variables("n".repeat(256)),
      "activated",
      ["name-form 3"],
      [],
    ],
    ["a name in another script", variables("é"), "activated", [
      "name-form 3",
    ], []],
    ["an empty name", variables(""), "activated", [], []],
  ];

for (const [what, given, state, wrong, told] of cases) {
  test(`examine() of an environment with ${what}`, () => {
    const report = examine(given, subject([WEB]));
    assert.equal(report.state, state);
    assert.deepEqual(problems(report), wrong);
    assert.deepEqual(notes(report), told);
    assert.equal(report.descriptors[0]!.info, WEB);
    for (const { message } of report.findings) assertMessage(message);
  });
}

test("examine() names the wrapper that was started in the process's place", () => {
  const report = examine({ ...variables("web"), LISTEN_PID: "41" }, {
    ...subject([WEB]),
    commandLine: (pid) => pid === 41 ? ["npm run start"] : undefined,
  });
  assert.equal(report.wrapper, "npm");
  assert.equal(report.listenPid, 41);
  assert.match(report.findings[0]!.message, /npm was started in its place/);
});

test("examine() tells a process that has another one's number", () => {
  const given = { ...variables("web"), LISTEN_PIDFDID: "7" };
  const other = examine(given, subject([WEB], { pidfdId: () => 8n }));
  assert.equal(other.state, "foreign");
  assert.match(
    other.findings[0]!.message,
    /^Not activated: LISTEN_PIDFDID is 7/,
  );
  assert.ok(isInOrder(examine(given, subject([WEB], { pidfdId: () => 7n }))));
});

test("examine() tells what the runtime opened itself from what was passed", () => {
  const given = variables("web", "gone", "gone", "stored");
  const eventQueue: DescriptorInfo = {
    kind: "other",
    link: "anon_inode:[eventpoll]",
    nonBlocking: false,
    closeOnExec: true,
  };
  const pair: DescriptorInfo = {
    ...WEB,
    kind: "stream-connection",
    closeOnExec: true,
  };
  const exact = examine(given, subject([WEB, eventQueue, pair, WEB]));
  assert.deepEqual(problems(exact), ["not-passed 4 5"]);
  const marked = { setsCloseOnExecAtStart: true, runtime: "node" } as const;
  const likely = examine(
    given,
    subject([WEB, eventQueue, pair, eventQueue], marked),
  );
  assert.deepEqual(problems(likely), ["not-passed 4"]);
  assert.deepEqual(notes(likely), ["flag-of-runtime 4 5 6"]);
});

test("examine() finds descriptors that nobody counts", () => {
  const own: DescriptorInfo = { kind: "other", link: "/", closeOnExec: true };
  const report = examine(variables("web"), subject([WEB, WEB6, own, WEB]));
  assert.deepEqual(notes(report), ["uncounted 4"]);
  const standard = { ...WEB6, inode: 2n };
  assert.deepEqual(
    examine(variables("web"), subject([WEB, standard])).findings,
    [],
    "the standard output once more",
  );
  assert.deepEqual(
    report.descriptors.map(({ fd, isCounted }) => [fd, isCounted]),
    [[3, true], [4, false]],
  );
});

test("examine() notes sockets that a start of another service makes blocking", () => {
  const blocking = (info: DescriptorInfo) => ({ ...info, nonBlocking: false });
  const connection: DescriptorInfo = { ...WEB, kind: "stream-connection" };
  const datagram: DescriptorInfo = { ...WEB, kind: "datagram" };
  const unknown: DescriptorInfo = { ...WEB6, nonBlocking: undefined };
  const infos = [
    ...[WEB, ADMIN, connection, datagram].map(blocking),
    ...[WEB, unknown],
  ];
  const given = variables("web", "admin", "peer", "dns", "open", "unknown");
  const report = examine(given, subject(infos));
  assert.ok(isInOrder(report), "one process on a socket is the usual case");
  assert.deepEqual(notes(report), ["blocking 3 4 6"]);
  const { message } = report.findings[0]!;
  assertMessage(message);
  assert.match(
    message,
    /^Reading descriptors 3-4, 6: blocking: .*: set NonBlocking=yes in every/,
  );
  const foreign = examine({ ...given, LISTEN_PID: "41" }, subject(infos));
  assert.deepEqual(notes(foreign), []);
});

test("examine() looks no further than there can be any", () => {
  const asked: number[] = [];
  const report = examine({ LISTEN_PID: "42", LISTEN_FDS: "1000000" }, {
    ...subject([]),
    inspector: {
      inspect(fds) {
        asked.push(...fds);
        return fds.map(() => ({ kind: "closed" }));
      },
      inspectPath: () => undefined,
    },
  });
  assert.ok(asked.length <= 259);
  assert.equal(report.descriptors.length, 256);
  assert.deepEqual(notes(report), ["no-names", "omitted"]);
  assert.match(report.findings.at(-1)!.message, /from there to 1000002 were/);
  const text = formatReport(report, PLAIN);
  assert.match(text, /^and 236 more that are not open$/m);
  assert.match(text, /Reading descriptors 3-258: not open/);
});

test("examine() says what can't be told, and how it could be", () => {
  const given = variables("web", "admin");
  const infos: DescriptorInfo[] = [
    { kind: "socket", type: "stream" },
    { kind: "unknown" },
  ];
  const denied = examine(
    given,
    subject(infos, { noAdopter: { reason: "no", isDenied: true } }),
  );
  assert.deepEqual(notes(denied), ["unknown-kind 3 4"]);
  assert.match(denied.findings[0]!.message, /run with --allow-ffi$/);
  assert.ok(isInOrder(denied));
  const old = examine(given, subject(infos));
  assert.match(old.findings[0]!.message, /Bun or Node 26/);
});

/** Variables as hostile as an environment can have them. */
function anyVariables(): fc.Arbitrary<ListenVariables> {
  const number = fc.oneof(
    fc.constantFrom("42", "1", "2", "3", "0", "-1", "99999999999", "1048577"),
    anyText(),
  );
  const names = fc.oneof(fc.constantFrom("a", "a:b", "a:b:c"), anyText());
  return fc.record({
    LISTEN_PID: number,
    LISTEN_PIDFDID: number,
    LISTEN_FDS: number,
    LISTEN_FDNAMES: names,
  }, { requiredKeys: [] });
}

test("examine() agrees with parseListenEnvironment(), whatever the environment", () => {
  fc.assert(fc.property(anyVariables(), (given) => {
    const report = examine(given, subject([WEB, WEB6, ADMIN]));
    let expected: string;
    try {
      const environment = parseListenEnvironment(given, { pid: 42 });
      expected = environment.kind;
      if (environment.kind === "activated" && environment.count > 2 ** 20) {
        expected = "malformed";
      }
    } catch {
      expected = "malformed";
    }
    assert.equal(report.state, expected);
    // What the library would not read is never called in order.
    if (expected !== "activated") assert.ok(!isInOrder(report));
    for (const { message } of report.findings) assertMessage(message);
  }));
});

test("no format brings anything unprintable onto a terminal", () => {
  fc.assert(fc.property(anyVariables(), anyText(), (given, text) => {
    const path = text.replaceAll("\0", "") || "/";
    const report = examine(
      given,
      subject([
        { ...ADMIN, address: { kind: "unix", path } },
        { ...ADMIN, address: { kind: "unix-abstract", name: text } },
        { kind: "file", link: text, ...FLAGS },
      ]),
    );
    const unprintable = /(?!\n)[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/u;
    assert.doesNotMatch(formatReport(report, PLAIN), unprintable);
    const json = formatJson(report);
    assert.doesNotMatch(json, unprintable);
    assert.equal(JSON.parse(json).descriptors[2]?.link ?? text, text);
  }));
});

test("formatReport() is a table of 80 columns", () => {
  const text = formatReport(
    examine(variables("web", "web", "admin", "log"), {
      ...subject([
        WEB,
        WEB6,
        ADMIN,
        { ...ADMIN, kind: "seqpacket-listener" },
      ]),
    }),
    PLAIN,
  );
  assert.equal(
    text,
    `Deno 2.9.6, process 42, descriptors read from the C library

LISTEN_PID      42
LISTEN_PIDFDID  (not set)
LISTEN_FDS      4
LISTEN_FDNAMES  "web:web:admin:log"

FD  NAME   KIND                FAMILY  BLOCKS  CLOEXEC  BACKLOG  ADDRESS
3   web    stream-listener     ipv4    no      no       2/4096   127.0.0.1:8080
4   web    stream-listener     ipv6    no      no       ?        [::1]:80
5   admin  stream-listener     unix    no      no       ?        /run/app/x.sock
6   log    seqpacket-listener  unix    no      no       ?        /run/app/x.sock

DENO                      BUN                       NODE                 FDS
native 2.3, portable 2.8  native 1.2, portable 1.4  native, portable 22  3-5
no [1]                    no [2]                    no [3]               6
[1] Deno has no sequential packet sockets: use a stream or UDP socket
[2] Bun has no sequential packet sockets: use a stream or UDP socket
[3] Node has no sequential packet sockets: use a stream or UDP socket
native 2.3: the runtime's own servers, from its version 2.3 on; portable: those
of node:net

In order
`,
  );
  for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
});

test("formatReport() breaks what is longer, and keeps names in their column", () => {
  const path = `/run/${"long/".repeat(8)}x.sock`;
  const text = formatReport(
    examine(variables("n".repeat(80), 'a "b"'), {
      ...subject([{ ...ADMIN, address: { kind: "unix", path } }, WEB], {
        noAdopter: { reason: "it was not given --allow-ffi", isDenied: true },
      }),
    }),
    PLAIN,
  );
  assert.match(text, new RegExp(`^ {4}${path}$`, "m"));
  assert.match(text, /^3 {3}"n{20}"\.\.\. {2}stream-listener/m);
  assert.match(text, /^4 {3}"a \\"b\\"" {8,}stream-listener/m);
  assert.match(text, /^Not native here, on Deno 2\.9\.6: it was not given/m);
});

test("formatReport() lists what is wrong before what is to be known", () => {
  const text = formatReport(
    examine({ LISTEN_PID: "41", LISTEN_FDS: "2" }, subject([WEB])),
    PLAIN,
  );
  assert.match(text, /\nProblems\n- Not activated: LISTEN_PID is 41/);
  assert.match(text, /\n- Reading descriptor 4: not open: a program between/);
  assert.match(text, /\nNotes\n- Reading LISTEN_FDNAMES: it is not set/);
  assert.ok(text.endsWith("\nNot in order: 2 problems\n"));
  for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
});

test("formatReport() without descriptors says so", () => {
  const text = formatReport(examine({}, subject([])), PLAIN);
  assert.match(text, /\nNo descriptors\n/);
  assert.ok(text.endsWith("\nNot in order: 1 problem\n"));
});

test("styleFor() gives colour on a terminal only, and honours NO_COLOR", () => {
  const isColoured = (isTerminal: boolean, env: Record<string, string>) =>
    styleFor(output(isTerminal), env)("red", "x") !== "x";
  assert.ok(isColoured(true, {}));
  assert.ok(isColoured(true, { NO_COLOR: "" }));
  assert.ok(!isColoured(true, { NO_COLOR: "1" }));
  assert.ok(!isColoured(true, { NO_COLOR: "0" }));
  assert.ok(!isColoured(true, { TERM: "dumb" }));
  assert.ok(!isColoured(false, {}));
});

test("formatReport() in colour is the same text", () => {
  for (const given of [variables("web"), {}, { LISTEN_FDS: "1" }]) {
    const report = examine(given, subject([WEB]));
    const coloured = formatReport(report, styleFor(output(true), {}));
    const plain = formatReport(report, PLAIN);
    assert.notEqual(coloured, plain);
    // deno-lint-ignore no-control-regex
    assert.equal(coloured.replace(/\x1b\[\d+m/g, ""), plain);
  }
});

test("formatJson() has a stable shape", () => {
  const given = { ...variables("web", "x"), LISTEN_PID: "41" };
  const json = JSON.parse(formatJson(examine(given, subject([WEB]))));
  const way = (since: string, api: string, ...needs: string[]) => ({
    since,
    api,
    needs,
  });
  const portable = "serve(), listen(), or listen() of ./node";
  const use = (
    native: ReturnType<typeof way>,
    portable: ReturnType<typeof way>,
  ) => ({ verdict: "native", native, portable, reason: null });
  assert.deepEqual(json, {
    format: 1,
    inOrder: false,
    state: "foreign",
    process: {
      pid: 42,
      runtime: "deno",
      version: "2.9.6",
      platform: "linux",
      source: "libc",
      native: true,
    },
    variables: { ...given, LISTEN_PIDFDID: null },
    service: {
      NOTIFY_SOCKET: null,
      WATCHDOG_USEC: null,
      WATCHDOG_PID: null,
      FDSTORE: null,
    },
    listenPid: 41,
    wrapper: null,
    findings: [
      {
        severity: "problem",
        code: "foreign",
        fds: [],
        message: json.findings[0].message,
      },
      {
        severity: "problem",
        code: "closed",
        fds: [4],
        message: json.findings[1].message,
      },
    ],
    descriptors: [{
      fd: 3,
      name: "web",
      counted: true,
      kind: "stream-listener",
      family: "ipv4",
      type: "stream",
      protocol: 6,
      listening: true,
      address: { kind: "ipv4", hostname: "127.0.0.1", port: 8080 },
      peer: null,
      blocking: false,
      closeOnExec: false,
      inode: "9223372036854775808",
      link: "socket:[4711]",
      device: null,
      backlog: 4096,
      waiting: 2,
      use: {
        deno: use(
          way(
            "2.3",
            "serve(), listen(), listenTls() of ./deno",
            "--allow-ffi",
            "--allow-net",
          ),
          way("2.8", portable),
        ),
        bun: use(
          way("1.2", "serve(), listen() of ./bun"),
          way("1.4", portable),
        ),
        node: use(way("22.0", portable), way("22.0", portable)),
      },
    }, {
      ...Object.fromEntries(
        Object.keys(json.descriptors[0]).map((key) => [key, null]),
      ),
      fd: 4,
      name: "x",
      counted: true,
      kind: "closed",
      use: Object.fromEntries(
        ["deno", "bun", "node"].map((each) => [each, {
          verdict: "none",
          native: null,
          portable: null,
          reason: "it is not open",
        }]),
      ),
    }],
  });
});

test("formatFds() writes ranges", () => {
  assert.equal(formatFds([]), "");
  assert.equal(formatFds([3]), "3");
  assert.equal(formatFds([3, 4, 6, 8, 9, 10]), "3-4, 6, 8-10");
});

test("inspect says which permission Deno has to give", () => {
  const env = new Proxy({}, {
    get() {
      throw new Error("Requires env access");
    },
  });
  assert.throws(
    () => inspectVerb.run([], { env } as never),
    (error) =>
      error instanceof UsageError &&
      error.message.endsWith(
        "run with --allow-env=LISTEN_PID,LISTEN_PIDFDID,LISTEN_FDS,LISTEN_FDNAMES",
      ),
  );
});

test("inspect refuses arguments that it doesn't know", () => {
  for (const args of [["--jsn"], ["extra"], ["--json=yes"], ["--", "x"]]) {
    assert.throws(
      () => inspectVerb.run(args, {} as never),
      (error) =>
        error instanceof UsageError &&
        error.message.startsWith("Reading the arguments: "),
    );
  }
});
