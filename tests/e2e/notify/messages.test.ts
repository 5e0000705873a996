/** Messages for a service manager, in each way that a runtime has. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { openListener } from "../../harness/descriptors.ts";
import { forEachHost, type Host, HOSTS } from "../../harness/hosts.ts";
import {
  missingProgram,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import {
  FakeManager,
  NO_MANAGER,
  NO_SYSTEMD_NOTIFY,
} from "../../harness/manager.ts";
import {
  NOTIFIER,
  type Outcome,
  runNotifier,
  WITH_FFI,
} from "../../harness/notifier.ts";
import { startProgram } from "../../harness/program.ts";
import { test } from "../../harness/timed_test.ts";

/** Hosts that spawn systemd-notify. */
const WITH_COMMAND = HOSTS.filter(({ label }) =>
  label === "node 22" || label === "node 24"
);
const LIMITED = HOSTS.filter(({ inspects }) => !inspects);

/** Runs operations with a vsock, and traces the calls, some of them replaced. */
async function traceVsock(
  t: TestContext,
  host: Host,
  address: string,
  replaced: readonly string[],
  ...operations: readonly (readonly unknown[])[]
): Promise<{ outcomes: Outcome[]; calls: string[] }> {
  const log = path.join(temporaryDirectory(t), "log");
  const traced: Host = {
    ...host,
    command: (...args) => [
      ..."strace -f -qq -e signal=none -e trace=socket,connect,sendmsg".split(
        " ",
      ),
      ...replaced.map((call) => `--inject=${call}`),
      `--output=${log}`,
      ...host.command(...args),
    ],
  };
  const env = { NOTIFY_SOCKET: address };
  const outcomes = await runNotifier(t, traced, env, ...operations);
  const calls = fs.readFileSync(log, "utf8").split("\n")
    .map((line) => line.replace(/^\d+ +/, ""));
  return { outcomes, calls };
}

/** Whether the kernel has sockets of the family, whatever their transports. */
const hasVsock = /^AF_VSOCK /m.test(readProtocols());

function readProtocols(): string {
  try {
    return fs.readFileSync("/proc/net/protocols", "utf8");
  } catch {
    return "";
  }
}

const NONE = { NOTIFY_SOCKET: undefined, WATCHDOG_USEC: undefined };

forEachHost([...WITH_FFI, ...WITH_COMMAND], (host) => {
  const { label } = host;
  const hasFfi = WITH_FFI.includes(host);
  const skip = NO_MANAGER || !hasFfi && NO_SYSTEMD_NOTIFY;

  for (const kind of ["path", "abstract"] as const) {
    test(
      `notify() on ${label} sends messages in order, to a socket of the kind ${kind}`,
      {
        skip,
      },
      async (t) => {
        const options = kind === "path" ? [] : [kind];
        const manager = await FakeManager.start(t, ...options);
        const outcomes = await runNotifier(
          t,
          host,
          { NOTIFY_SOCKET: manager.address },
          ["notify", { status: "Grüße \\ = \u{1f600} --x", errno: 2 }],
          ["notify", { ready: true, reloading: true }],
          ["barrier"],
          ["notify", { variables: { X_EMPTY: "" }, watchdog: "trigger" }],
        );
        assert.deepEqual(outcomes, Array(4).fill({ value: true }));
        const lines = await manager.until((all) => all.includes("X_EMPTY="));
        const usec = /^MONOTONIC_USEC=(\d+)$/.exec(lines[4]!)![1]!;
        // The clock of this process, which is the same on Linux.
        const now = process.hrtime.bigint() / 1000n;
        assert.ok(now - BigInt(usec) < 60_000_000n && now >= BigInt(usec));
        assert.deepEqual(
          lines.filter((line) =>
            !/^(?:MONOTONIC_USEC|X_LISTENFDS)=/.test(line)
          ),
          [
            "STATUS=Grüße \\\\ = \u{1f600} --x",
            "ERRNO=2",
            "READY=1",
            "RELOADING=1",
            "WATCHDOG=trigger",
            "X_EMPTY=",
          ],
        );
        assert.deepEqual(manager.barriers.at(0)?.fds, ["pipe"]);
      },
    );
  }

  test(`notify() on ${label} returns false where nobody listens`, async (t) => {
    for (const NOTIFY_SOCKET of [undefined, ""]) {
      const outcomes = await runNotifier(
        t,
        host,
        { ...NONE, NOTIFY_SOCKET },
        ["notify", { ready: true }],
        ["barrier", 10],
        ["watchdog"],
        ["notify", { status: "a\nb" }],
      );
      assert.deepEqual(outcomes.slice(0, 3), [
        { value: false },
        { value: false },
        { value: null },
      ]);
      assert.equal(outcomes[3]!.error!.name, "RangeError");
    }
  });

  test(`notify() on ${label} reports a bad address`, async (t) => {
    const notified = (NOTIFY_SOCKET: string) =>
      runNotifier(t, host, { NOTIFY_SOCKET }, ["notify", { ready: true }]);
    const [malformed] = await notified("run/notify");
    assert.equal(malformed!.error!.name, "SyntaxError");
    assert.match(
      malformed!.error!.message,
      /^Notifying the service manager: reading NOTIFY_SOCKET: .*"run\/notify": let/,
    );
    const [absent] = await notified("/nonexistent/notify");
    assert.equal(absent!.error!.code, "system");
    if (!hasFfi) return;
    assert.equal(absent!.error!.errno, 2);
    assert.match(
      absent!.error!.message,
      /manager: connect ENOENT: check that the service manager runs, and that/,
    );
  });

  test(`watchdog() on ${label} reads the variables`, async (t) => {
    const read = async (WATCHDOG_USEC: string, WATCHDOG_PID?: string) =>
      (await runNotifier(t, host, { WATCHDOG_USEC, WATCHDOG_PID }, [
        "watchdog",
      ]))[0]!;
    assert.deepEqual(await read("1500000"), {
      value: { timeoutMs: 1500, isOurs: true },
    });
    assert.deepEqual(await read("1500000", "1"), {
      value: { timeoutMs: 1500, isOurs: false },
    });
    assert.equal((await read("soon")).error!.name, "SyntaxError");
  });

  test(`notify() on ${label} removes the variables where that is asked for`, {
    skip,
  }, async (t) => {
    const manager = await FakeManager.start(t);
    const outcomes = await runNotifier(
      t,
      host,
      { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: "5000000" },
      ["notify", { status: "one" }],
      ["variable", "NOTIFY_SOCKET"],
      ["notify", { status: "two" }, { removeEnvironment: true }],
      ["variable", "NOTIFY_SOCKET"],
      ["variable", "WATCHDOG_USEC"],
      ["notify", { status: "three" }],
      ["watchdog"],
    );
    assert.deepEqual(outcomes.map(({ value }) => value), [
      true,
      manager.address,
      true,
      null,
      null,
      true,
      { timeoutMs: 5000, isOurs: true },
    ]);
    await manager.until((lines) => lines.includes("STATUS=three"));
  });
});

/** Starts a command with a descriptor as `OpenFile=` passes it. */
const WITH_DENOTIFIEROR = [
  "python3",
  "-c",
  `
import os, socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.connect(os.environ["NOTIFY_SOCKET"])
# NonBlocking=yes
manager.setblocking(False)
os.dup2(manager.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(
    LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="notify"
)
os.execvp(sys.argv[1], sys.argv[1:])
`,
];

forEachHost([...WITH_FFI, ...WITH_COMMAND], (host) => {
  const { label } = host;
  const prefix = WITH_COMMAND.includes(host) ? WITH_DENOTIFIEROR : [];

  test(`notify() on ${label} waits for room, in order and without blocking`, {
    skip: NO_MANAGER,
  }, async (t) => {
    const manager = await FakeManager.start(t, "deaf");
    const command = host.command(NOTIFIER, JSON.stringify([["flood", 600]]));
    const program = startProgram(t, [...prefix, ...command], {
      env: { NOTIFY_SOCKET: manager.address },
    });
    // The event loop, which waits for nothing while there is no room.
    await program.until("its turns", () => program.stdout.includes("turned"));
    assert.equal(program.stdout, '{"value":"turned"}\n');
    manager.listen();
    assert.equal(await program.exited, 0, program.output);
    const lines = await manager.until((all) => all.length === 600);
    assert.deepEqual(
      lines,
      Array.from({ length: 600 }, (_, index) => `STATUS=message ${index}`),
    );
  });
});

forEachHost(WITH_FFI, (host) => {
  const { label } = host;

  test(`serve() on ${label} reports a bad address, and binds nothing`, async (t) => {
    const fallback = { port: 0, hostname: "127.0.0.1", store: true };
    const outcomes = await runNotifier(
      t,
      host,
      { NOTIFY_SOCKET: "vsock:2:x" },
      ["serve", "web", { fallback }],
      ["listeners"],
    );
    const { name, message } = outcomes[0]!.error!;
    assert.equal(name, "SyntaxError");
    assert.match(
      message,
      /^Serving HTTP on "web": reading NOTIFY_SOCKET: .*"vsock:2:x": let the/,
    );
    assert.equal(outcomes[1]!.value, 0);
  });

  test(`serve() on ${label} says what to do about a port in use`, {
    skip: NO_MANAGER,
  }, async (t) => {
    const manager = await FakeManager.start(t);
    const { port, close } = await openListener();
    t.after(close);
    const fallback = { port, hostname: "127.0.0.1", store: true };
    const away = { port: 0, hostname: "192.0.2.1", store: true };
    const [used, absent] = await runNotifier(
      t,
      host,
      { NOTIFY_SOCKET: manager.address },
      ["serve", "web", { fallback }],
      ["serve", "web", { fallback: away }],
    );
    assert.deepEqual([used!.error!.code, used!.error!.errno], ["system", 98]);
    assert.match(
      used!.error!.message,
      /binding port \d+ of 127\.0\.0\.1: bind EADDRINUSE: end the process that/,
    );
    assert.match(
      absent!.error!.message,
      /: bind EADDRNOTAVAIL: set an address of this machine/,
    );
    assert.deepEqual(manager.lines, []);
  });

  test(
    `stored fallbacks on ${label} that are opened in turn are ready together`,
    {
      skip: NO_MANAGER,
    },
    async (t) => {
      const manager = await FakeManager.start(t);
      const fallback = { port: 0, hostname: "127.0.0.1", store: true };
      const command = host.command(
        NOTIFIER,
        JSON.stringify([
          ["serveAll", ["web", "admin"], { fallback }],
          ["sleep", 60_000],
        ]),
      );
      startProgram(t, command, {
        env: { NODE_NO_WARNINGS: "1", NOTIFY_SOCKET: manager.address },
      });
      const lines = await manager.until((all) => all.includes("READY=1"));
      assert.deepEqual(lines, [
        ...["FDSTORE=1", "FDNAME=web", "FDSTORE=1", "FDNAME=admin", "READY=1"],
      ]);
    },
  );

  test(`storeDescriptor() on ${label} refuses what is closed`, {
    skip: NO_MANAGER,
  }, async (t) => {
    const manager = await FakeManager.start(t);
    const outcomes = await runNotifier(
      t,
      host,
      { NOTIFY_SOCKET: manager.address },
      ["store", "closed", 999],
      ["store", "closed", { addresses: [] }],
    );
    const codes = outcomes.map(({ error }) => error?.code);
    assert.deepEqual(codes, ["not-open", "not-open"]);
    assert.deepEqual(manager.lines, []);
  });

  test(`notify() on ${label} sends to a vsock`, {
    skip: missingProgram("strace") || !hasVsock && "the kernel has no vsock",
  }, async (t) => {
    const message = ["notify", { ready: true, status: "a\\b" }];
    const { outcomes, calls } = await traceVsock(
      t,
      host,
      "vsock:3:5000",
      // Only what the hypervisor would get is not executed.
      ["connect:retval=0", "sendmsg:retval=1"],
      message,
      ["store", "x", 0],
      ["barrier"],
    );
    assert.deepEqual(outcomes[0], { value: true });
    for (const { error } of outcomes.slice(1)) {
      assert.equal(error!.code, "unsupported");
      assert.match(
        error!.message,
        /is a vsock, which takes no descriptors: run/,
      );
    }
    const address = "sa_family=AF_VSOCK, svm_cid=0x3, svm_port=0x1388";
    const [, fd] = calls.find((call) => call.startsWith("connect("))!
      .match(/^connect\((\d+), \{(.*?)(?:, svm_flags=0)?\}, 16\) = 0/)!;
    assert.ok(
      calls.some((call) => call.includes(`connect(${fd}, {${address}`)),
    );
    const types = calls.flatMap((call) =>
      /^socket\(AF_VSOCK, SOCK_([A-Z]+)\|SOCK_CLOEXEC, 0\)/.exec(call)?.[1] ??
        []
    );
    // As libsystemd tries them; which the kernel has depends on its transports.
    assert.deepEqual(
      types,
      ["DGRAM", "SEQPACKET", "STREAM"].slice(0, types.length),
    );
    const sent = calls.filter((call) => call.startsWith("sendmsg("));
    assert.equal(sent.length, 1);
    assert.ok(sent[0]!.startsWith(`sendmsg(${fd}, {`));
    assert.ok(
      sent[0]!.includes('iov_base="READY=1\\nSTATUS=a\\\\\\\\b"'),
      sent[0]!,
    );
  });

  test(
    `notify() on ${label} tries the other types of a vsock, and reports the last`,
    {
      skip: missingProgram("strace") || !hasVsock && "the kernel has no vsock",
    },
    async (t) => {
      const trace = async (address: string, error: string) => {
        const { outcomes: [outcome], calls } = await traceVsock(
          t,
          host,
          address,
          [`connect:error=${error}`],
          ["notify", { ready: true }],
        );
        const opened = calls.filter((call) => /^socket\(.* = \d+$/.test(call));
        const closed = calls.filter((call) => call.startsWith("connect("));
        assert.equal(opened.length, closed.length);
        return { ...outcome!.error!, count: closed.length };
      };
      const refused = await trace("vsock:3:5000", "ECONNRESET");
      assert.deepEqual(
        [refused.code, refused.errno, refused.count],
        ["system", 104, 1],
      );
      assert.match(
        refused.message,
        /^Notifying the service manager: connect ECONNRESET: check that the service/,
      );
      const other = await trace("vsock:3:5000", "ESOCKTNOSUPPORT");
      assert.ok(other.count >= 2, "each type that the kernel has");
      assert.equal(other.errno, 94);
      const only = await trace("vsock-stream:3:5000", "ESOCKTNOSUPPORT");
      assert.deepEqual([only.count, only.errno], [1, 94]);
    },
  );

  test(`notifyBarrier() on ${label} waits until the messages are processed`, {
    skip: NO_MANAGER,
  }, async (t) => {
    const manager = await FakeManager.start(t, "hold");
    const [outcome] = await runNotifier(
      t,
      host,
      { NOTIFY_SOCKET: manager.address },
      ["barrier", 200],
    );
    const { code, errno, message } = outcome!.error!;
    assert.deepEqual([code, errno], ["system", 110]);
    assert.match(message, /has not answered in 200 ms/);
  });
});

forEachHost(LIMITED, (host) => {
  test(`notify() on ${host.label} says what to allow`, async (t) => {
    const env = { NOTIFY_SOCKET: "/run/notify" };
    const [denied] = await runNotifier(t, host, env, ["notify", {
      ready: true,
    }]);
    assert.equal(denied!.error!.code, "permission");
    assert.match(denied!.error!.message, /--allow-env=NOTIFY_SOCKET$/);
    const readable: Host = {
      ...host,
      command: (...args) =>
        host.command(...args).map((word) =>
          word.startsWith("--allow-env") ? "--allow-env" : word
        ),
    };
    const [noFfi] = await runNotifier(t, readable, env, ["notify", {
      ready: true,
    }]);
    assert.equal(noFfi!.error!.code, "permission");
    assert.match(noFfi!.error!.message, /run with --allow-ffi/);
  });
});
