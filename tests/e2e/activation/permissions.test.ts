/** Errors where the permissions of Deno or Node don't allow to listen. */

import assert from "node:assert/strict";
import path from "node:path";
import {
  AGENT,
  agentCommand,
  startAgent,
  startInactive,
} from "../../harness/agent.ts";
import {
  DENO_PERMISSIONS,
  forEachHost,
  type Host,
  HOSTS,
  hostsWith,
  ROOT,
} from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { bindSockets } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

/** Node with its permission model. */
function permittedNode(host: Host, ...flags: string[]): Host {
  const command = (script: string, ...args: string[]) => [
    host.command("")[0]!,
    ...["--permission", `--allow-fs-read=${ROOT}/*`, ...flags],
    ...[script, ...args],
  ];
  return { ...host, command };
}

const NODES = hostsWith({ runtime: "node" });
/** Since Node 25, listening is a permission. */
const NEWER_NODES = NODES.filter(({ label }) => label === "node 26");

/** Fallbacks: with a host name, Deno and Node throw on a later tick. */
const FALLBACKS = [
  { port: 0 },
  { port: 0, hostname: "127.0.0.1" },
  { port: 0, hostname: "::1" },
  { port: 0, hostname: "localhost" },
] as const;

forEachHost(NEWER_NODES, (host) => {
  test(`${host.label} without --allow-net keeps descriptors and names the flag`, async (t) => {
    const denied = permittedNode(host);
    const agent = await bindSockets(
      ["web=tcp:127.0.0.1:0", "dns=udp:127.0.0.1:0"],
      (sockets) => startAgent(t, denied, sockets),
    );
    for (
      const [operation, ...args] of [
        ["serve", "web"],
        ["listen", "web"],
        ["nodeListen", "http", "web", {}],
        ["bind", "dns"],
      ] as const
    ) {
      const { code, message } = await agent.fail(operation, ...args);
      assert.equal(code, "permission", operation);
      assert.match(message, /: missing permission: run with --allow-net$/);
    }
    const { descriptors, unclaimed } = (await agent.call("activation"))!;
    assert.deepEqual(unclaimed, descriptors.map(({ fd }) => fd));
  });
});

forEachHost([
  ...NEWER_NODES.map((host) => permittedNode(host)),
  ...HOSTS.filter(({ runtime, inspects }) => runtime === "deno" && !inspects),
], (host) => {
  test(`fallback on ${host.label} without --allow-net names the flag`, async (t) => {
    const agent = startInactive(t, agentCommand(host));
    for (const fallback of FALLBACKS) {
      for (
        const [operation, ...args] of [
          ["serve", "web", { fallback }],
          ["serve", "web", { fallback, backend: "node" }],
          ["listen", "web", { fallback }],
          ["nodeListen", "net", "web", { fallback }],
        ] as const
      ) {
        const { code, message } = await agent.fail(operation, ...args);
        assert.equal(code, "permission", operation);
        assert.match(
          message,
          /: binding port 0 of .*: missing permission: run with --allow-net/,
        );
      }
    }
  });
});

forEachHost(NODES, (host) => {
  test(`${host.label} with --permission serves what it may listen on`, async (t) => {
    const flags = NEWER_NODES.includes(host) ? ["--allow-net"] : [];
    const permitted = permittedNode(host, ...flags);
    const agent = await bindSockets(
      ["web=tcp:127.0.0.1:0", "dns=udp:127.0.0.1:0"],
      (sockets) => startAgent(t, permitted, sockets),
    );
    await agent.call("serve", "web");
    await agent.call("bind", "dns");
  });
});

test("fallback on Deno without access to its path names the flag", async (t) => {
  const [deno] = hostsWith({ runtime: "deno" });
  const file = path.join(temporaryDirectory(t), "x.sock");
  const options = { fallback: { path: file } };
  for (
    const [flags, missing] of [
      [[], "--allow-read"],
      [["--allow-read"], "--allow-write"],
    ] as const
  ) {
    const command = agentCommand(deno!, ...DENO_PERMISSIONS, ...flags);
    const agent = startInactive(t, command);
    for (
      const backend of ["auto", "node"] as const
    ) {
      const { code, message } = await agent.fail("serve", "web", {
        ...options,
        backend,
      });
      assert.equal(code, "permission");
      assert.ok(message.endsWith(`run with ${missing}`), message);
    }
  }
});

test("activation() on Deno without --allow-env names the variables", async (t) => {
  const [deno] = hostsWith({ runtime: "deno" });
  const agent = startInactive(t, [
    ...[deno!.command("")[0]!, "run", "--no-prompt", AGENT],
  ]);
  const { code, message } = await agent.fail("activation");
  assert.equal(code, "permission");
  assert.match(message, /: run with --allow-env=LISTEN_PID,LISTEN_PIDFDID,/);
});
