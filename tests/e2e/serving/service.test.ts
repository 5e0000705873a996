/** The example service under both activators, on every runtime. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { exchange, request, type TcpTarget } from "../../harness/client.ts";
import { forEachHost, type Host, HOSTS, ROOT } from "../../harness/hosts.ts";
import {
  NO_SYSTEMD_ACTIVATE,
  SYSTEMD_ACTIVATE,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import {
  type Program,
  startActivated,
  startProgram,
} from "../../harness/program.ts";
import {
  bindSockets,
  freePorts,
  inodesOf,
  listeningInodes,
} from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

interface ServiceSocket {
  readonly name: "web" | "admin" | "echo";
  readonly target: TcpTarget | { readonly path: string };
}

const SERVICE = path.join(ROOT, "examples/service.ts");

/** `web` twice, IPv4 and IPv6, between the others. */
async function chooseSockets(directory: string): Promise<ServiceSocket[]> {
  const [web, echo] = await freePorts(2) as [number, number];
  return [
    { name: "web", target: { host: "127.0.0.1", port: web } },
    { name: "admin", target: { path: path.join(directory, "admin.sock") } },
    { name: "echo", target: { host: "127.0.0.1", port: echo } },
    { name: "web", target: { host: "::1", port: web } },
  ];
}

async function assertServes(
  host: Host,
  { name, target }: ServiceSocket,
): Promise<void> {
  if (name === "echo") {
    assert.equal(await exchange(target, "one\ntwo\n"), "one\ntwo\n");
    return;
  }
  const { status, body } = await request(
    "path" in target ? { socketPath: target.path } : target,
  );
  assert.deepEqual(
    { status, body },
    { status: 200, body: `hello from ${host.runtime} on ${name}\n` },
  );
}

/** A started service, and the inodes of its sockets, sorted. */
interface StartedService {
  readonly program: Program;
  readonly handed: readonly number[];
}

/** Starts the service with sockets that are bound here. */
function startService(
  t: TestContext,
  host: Host,
  specs: readonly string[],
): Promise<StartedService> {
  return bindSockets(specs, (sockets) => ({
    program: startActivated(t, host.command(SERVICE), sockets),
    handed: inodesOf(sockets),
  }));
}

/** Formats an address as both activators read it. */
function addressOf(target: ServiceSocket["target"]): string {
  if ("path" in target) return target.path;
  const { host, port } = target;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Checks that a service answers on its sockets, and on no others. */
async function assertService(
  t: TestContext,
  host: Host,
  order: readonly number[],
  run: (sockets: readonly ServiceSocket[]) => Promise<StartedService>,
): Promise<void> {
  const all = await chooseSockets(temporaryDirectory(t));
  const ordered = order.map((index) => all[index]!);
  const { program, handed } = await run(ordered);
  for (const socket of ordered) await assertServes(host, socket);
  assert.deepEqual(listeningInodes(program.pid), handed);
  assert.equal(await program.terminate(), 0, program.stderr);
  for (const { target } of ordered) {
    if ("path" in target) assert.ok(fs.statSync(target.path).isSocket());
  }
}

/** All orders in which three names can come, `web` first with both sockets. */
const ORDERS = [
  [0, 3, 1, 2],
  [0, 2, 1, 3],
  [1, 0, 3, 2],
  [1, 2, 3, 0],
  [2, 0, 1, 3],
  [2, 1, 0, 3],
];

forEachHost(HOSTS, (host) => {
  for (const order of ORDERS) {
    test(`service on ${host.label} finds its sockets in the order ${order}`, (t) =>
      assertService(t, host, order, async (sockets) => {
        const specs = sockets.map(({ name, target }) =>
          `${name}=${"path" in target ? "unix" : "tcp"}:${addressOf(target)}`
        );
        return await startService(t, host, specs);
      }));
  }

  const skip = NO_SYSTEMD_ACTIVATE;
  test(
    `service on ${host.label} runs under systemd-socket-activate`,
    { skip },
    (t) =>
      assertService(t, host, [3, 0, 1, 2], async (sockets) => {
        const names = sockets.map(({ name }) => name).join(":");
        const program = startProgram(t, [
          SYSTEMD_ACTIVATE,
          ...sockets.flatMap(({ target }) => ["-l", addressOf(target)]),
          `--fdname=${names}`,
          "--",
          ...host.command(SERVICE),
        ]);
        // It becomes the service on the first connection, in the same process.
        const handed = await program.until(
          "systemd-socket-activate to listen",
          () => listeningInodes(program.pid),
          (inodes) => inodes.length === sockets.length,
        );
        return { program, handed };
      }),
  );
});

forEachHost(HOSTS, (host) => {
  test(`service on ${host.label} serves the only socket that it has`, (t) =>
    assertService(t, host, [2], async ([echo]) => {
      const address = addressOf(echo!.target);
      return await startService(t, host, [`echo=tcp:${address}`]);
    }));

  test(`service on ${host.label} refuses a name that it doesn't know`, async (t) => {
    const { program } = await startService(t, host, [
      "web=tcp:127.0.0.1:0",
      "wbe=tcp:127.0.0.1:0",
    ]);
    assert.equal(await program.exited, 1);
    assert.match(program.stderr, /found \["wbe"\]/);
  });

  test(`service on ${host.label} says why it is not activated`, async (t) => {
    const program = startProgram(t, host.command(SERVICE));
    assert.equal(await program.exited, 1);
    assert.match(program.stderr, /Not activated: LISTEN_PID is not set/);
  });
});
