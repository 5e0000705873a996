/** The environment: real processes read it, and remove its variables. */

import assert from "node:assert/strict";
import process from "node:process";
import {
  activateAgent,
  agentCommand,
  startInactive,
} from "../../harness/agent.ts";
import { DENO_PERMISSIONS, forEachHost, HOSTS } from "../../harness/hosts.ts";
import { missingProgram } from "../../harness/machine_tools.ts";
import type { Environment } from "../../harness/program.ts";
import { assertListensOnly } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const WEB = ["web=tcp:127.0.0.1:0"];

/** Variables, and the name and message of the error that they cause. */
type Malformed = readonly [env: Environment, name: string, message: RegExp];

const MALFORMED: readonly Malformed[] = [
  ...["-1", "abc", "1e3", "0x2", " 2", ""].map((text): Malformed => [
    { LISTEN_FDS: text },
    "SyntaxError",
    /^Parsing LISTEN_FDS: expected a plain decimal number, found "/,
  ]),
  ...["0", "2147483648"].map((text): Malformed => [
    { LISTEN_FDS: text },
    "RangeError",
    /^Parsing LISTEN_FDS: expected a number from 1 to 2147483644, found "/,
  ]),
  [
    { LISTEN_FDS: "2147483644", LISTEN_FDNAMES: undefined },
    "RangeError",
    /^Reading LISTEN_FDS: expected no more descriptors than a process can/,
  ],
  [
    { LISTEN_FDNAMES: "web:admin" },
    "ActivationError",
    /expected 1 names, as many as LISTEN_FDS counts, found 2 in "web:admin"/,
  ],
  [
    { LISTEN_FDS: "2", LISTEN_FDNAMES: "" },
    "ActivationError",
    /expected 2 names, as many as LISTEN_FDS counts, found 1 in ""/,
  ],
  [
    { LISTEN_FDS: "2", LISTEN_FDNAMES: "a\x1b[31m\n" },
    "ActivationError",
    /found 1 in "a\\u001b\[31m\\n"/,
  ],
  [
    { LISTEN_PIDFDID: "abc" },
    "SyntaxError",
    /^Parsing LISTEN_PIDFDID: expected a plain decimal number, found "abc"/,
  ],
];

forEachHost(HOSTS, (host) => {
  test(`activation() on ${host.label} removes the variables and is remembered`, async (t) => {
    const { agent } = await activateAgent(t, host, WEB);
    const first = await agent.call("activation");
    assert.deepEqual(first?.names, ["web"]);
    assert.equal(first?.same, true);
    assert.deepEqual(await agent.call("environment"), ["LISTEN_PID"]);
    // Options of a later call have no effect.
    assert.deepEqual(
      await agent.call("activation", { map: { nobody: { port: 1 } } }),
      first,
    );
    assert.equal(await agent.call("inactiveReason"), undefined);
  });

  test(`activation() on ${host.label} keeps the variables if asked to`, async (t) => {
    const { agent } = await activateAgent(t, host, WEB);
    await agent.call("activation", { keepEnvironment: true });
    assert.deepEqual(await agent.call("environment"), [
      "LISTEN_PID",
      "LISTEN_FDS",
      "LISTEN_FDNAMES",
    ]);
  });

  test(`activation() on ${host.label} reports a malformed environment, each time`, async (t) => {
    for (const [env, name, message] of MALFORMED) {
      const { agent, sockets } = await activateAgent(t, host, WEB, env);
      const error = await agent.fail("activation");
      assert.equal(error.name, name, error.message);
      assert.match(error.message, message);
      // Not once an error and then "not activated"; nothing is bound instead.
      assert.deepEqual(await agent.fail("activation"), error);
      assert.deepEqual(
        await agent.fail("serve", "web", { fallback: { port: 0 } }),
        error,
      );
      // The environment itself is valid where only the count can't be true.
      const left = message.source.includes("no more descriptors")
        ? ["LISTEN_PID"]
        : [];
      assert.deepEqual(await agent.call("environment"), left);
      assertListensOnly(agent, sockets);
      await agent.terminate();
    }
  });

  test(`activation() on ${host.label} takes nothing meant for another process`, async (t) => {
    const agent = startInactive(t, agentCommand(host), {
      LISTEN_PID: String(process.pid),
      LISTEN_FDS: "not even a number",
    });
    assert.equal(await agent.call("activation"), null);
    const reason = await agent.call("inactiveReason");
    assert.equal(reason?.kind, "foreign");
    assert.equal(reason?.listenPid, process.pid);
    assert.equal(reason?.pid, agent.pid);
    assert.deepEqual(await agent.call("environment"), []);
  });

  test(`activation() on ${host.label} reports a malformed LISTEN_PID`, async (t) => {
    for (
      const [text, name] of [
        ["abc", "SyntaxError"],
        ["", "SyntaxError"],
        ["0", "RangeError"],
      ] as const
    ) {
      const agent = startInactive(t, agentCommand(host), {
        LISTEN_PID: text,
        LISTEN_FDS: "1",
      });
      const error = await agent.fail("activation");
      assert.equal(error.name, name);
      assert.match(error.message, /^Parsing LISTEN_PID: expected a /);
      assert.deepEqual(await agent.call("environment"), []);
      await agent.terminate();
    }
  });

  test(`activation() on ${host.label} names a shell that stands between`, async (t) => {
    const command = agentCommand(host);
    const agent = startInactive(t, [
      "/bin/sh",
      "-c",
      `LISTEN_PID=$$ LISTEN_FDS=1 "$@"; exit $?`,
      "sh",
      ...command,
    ]);
    assert.equal(await agent.call("activation"), null);
    const { kind, listenPid, wrapper, message } =
      (await agent.call("inactiveReason"))!;
    assert.equal(kind, "foreign");
    assert.equal(listenPid, agent.pid);
    if (host.inspects) {
      assert.equal(wrapper, "sh");
      assert.match(message, /begin the last command with exec/);
    } else {
      assert.match(message, /not through a wrapper such as npm, npx or sh -c/);
    }
  });

  test(`activation() on ${host.label} names PrivatePIDs= as process 1`, {
    skip: missingProgram("unshare") ||
      (process.getuid!() !== 0 && "needs root for a PID namespace"),
  }, async (t) => {
    // As systemd does: LISTEN_PID is a number outside of the namespace.
    const unshare = ["unshare", "--pid", "--fork", "--mount-proc"];
    const agent = startInactive(
      t,
      [...unshare, "--kill-child", ...agentCommand(host)],
      { LISTEN_PID: "4242", LISTEN_FDS: "1" },
    );
    assert.equal(await agent.call("activation"), null);
    const { kind, listenPid, pid, message } =
      (await agent.call("inactiveReason"))!;
    assert.deepEqual([kind, listenPid, pid], ["foreign", 4242, 1]);
    assert.match(message, /: remove PrivatePIDs=yes from the service, or let/);
    const error = await agent.fail("serve", "web");
    assert.match(error.message, /PrivatePIDs=yes/);
  });

  test(`activation() on ${host.label} is null without the variables`, async (t) => {
    const agent = startInactive(t, agentCommand(host));
    assert.equal(await agent.call("activation"), null);
    const { kind, message } = (await agent.call("inactiveReason"))!;
    assert.equal(kind, "absent");
    assert.match(message, /LISTEN_PID is not set/);
  });

  test(`a child on ${host.label} starts although a variable isn't UTF-8`, async (t) => {
    const script = `export LISTEN_FDS=1 LISTEN_PID=1
      export LISTEN_FDNAMES="$(printf 'we\\377b')"
      exec "$0" "$@"`;
    const agent = startInactive(t, ["sh", "-c", script, ...agentCommand(host)]);
    assert.equal(await agent.call("activation"), null);
    assert.equal((await agent.call("inactiveReason"))!.kind, "foreign");
  });

  test(`children on ${host.label} don't see the variables`, {
    skip: !host.inspects && "Deno may not start processes here",
  }, async (t) => {
    const { agent } = await activateAgent(t, host, WEB);
    await agent.call("activation");
    // The id of another process alone means nothing to a child.
    const left = `LISTEN_PID=${agent.pid}`;
    assert.deepEqual(await agent.call("childEnvironment"), [left]);
  });

  test(`children on ${host.label} don't see the variables after an error`, {
    skip: !host.inspects && "Deno may not start processes here",
  }, async (t) => {
    const { agent } = await activateAgent(t, host, WEB, { LISTEN_FDS: "abc" });
    await agent.fail("activation");
    assert.deepEqual(await agent.call("childEnvironment"), []);
  });
});

const [deno] = HOSTS.filter(({ runtime }) => runtime === "deno");
test("activation() on Deno says which permission it needs", async (t) => {
  const agent = startInactive(t, agentCommand(deno!, "--no-prompt"));
  const error = await agent.fail("activation");
  assert.equal(error.code, "permission");
  assert.ok(error.message.endsWith(DENO_PERMISSIONS[1]!), error.message);
});
