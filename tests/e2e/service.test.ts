/** The example service under both activators, on every runtime. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { test, type TestContext } from "node:test";
import {
  type BoundSocket,
  parseSocketSpec,
  withSockets,
} from "../../src/cli/activator/activator.ts";
import {
  exchange,
  freePorts,
  type Host,
  HOSTS,
  listeningInodes,
  Program,
  request,
  SERVICE,
  start,
  SYSTEMD_ACTIVATE,
  type Target,
  temporaryFolder,
  withInode,
} from "./harness.ts";

interface Socket {
  readonly name: "web" | "admin" | "echo";
  readonly target: Target & { readonly host?: string };
}

/** `web` twice, IPv4 and IPv6, between the others. */
async function sockets(folder: string): Promise<Socket[]> {
  const [web, echo] = await freePorts(2) as [number, number];
  return [
    { name: "web", target: { host: "127.0.0.1", port: web } },
    { name: "admin", target: { path: path.join(folder, "admin.sock") } },
    { name: "echo", target: { host: "127.0.0.1", port: echo } },
    { name: "web", target: { host: "::1", port: web } },
  ];
}

/** The inodes of bound sockets, sorted. */
function inodes(bound: readonly BoundSocket[]): number[] {
  return bound.map((socket) => withInode(socket).inode).sort((a, b) => a - b);
}

async function assertServes(
  host: Host,
  { name, target }: Socket,
): Promise<void> {
  if (name === "echo") {
    assert.equal(await exchange(target, "one\ntwo\n"), "one\ntwo\n");
    return;
  }
  const { host: hostname, ...rest } = target as {
    host?: string;
    port?: number;
    path?: string;
  };
  const { status, body } = await request(
    rest.path === undefined
      ? { hostname, port: rest.port }
      : { socketPath: rest.path },
  );
  assert.deepEqual(
    { status, body },
    { status: 200, body: `hello from ${host.runtime} on ${name}\n` },
  );
}

async function assertService(
  t: TestContext,
  host: Host,
  order: readonly number[],
  run: (sockets: readonly Socket[]) => Promise<
    { program: Program; handed: readonly number[] }
  >,
): Promise<void> {
  const folder = temporaryFolder(t);
  const all = await sockets(folder);
  const ordered = order.map((at) => all[at]!);
  const { program, handed } = await run(ordered);
  for (const socket of ordered) await assertServes(host, socket);
  assert.deepEqual(listeningInodes(program.pid), handed);
  assert.equal(await program.terminate(), 0, program.stderr);
  for (const { target } of ordered) {
    if ("path" in target) assert.ok(fs.statSync(target.path!).isSocket());
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

for (const host of HOSTS) {
  for (const order of ORDERS) {
    test(`service on ${host.label} finds its sockets in the order ${order}`, (t) =>
      assertService(t, host, order, async (sockets) => {
        const specs = sockets.map(({ name, target }) =>
          parseSocketSpec(
            "path" in target
              ? `${name}=unix:${target.path}`
              : `${name}=tcp:${
                target.host === "::1" ? "[::1]" : target.host
              }:${target.port}`,
          )
        );
        return await withSockets(specs, (bound) => ({
          program: start(t, host.command(SERVICE), bound),
          handed: inodes(bound),
        }));
      }));
  }

  const skip = SYSTEMD_ACTIVATE === undefined &&
    "systemd-socket-activate is not installed";
  test(
    `service on ${host.label} runs under systemd-socket-activate`,
    { skip },
    (t) =>
      assertService(t, host, [3, 0, 1, 2], async (sockets) => {
        const listen = sockets.map(({ target }) =>
          "path" in target
            ? target.path!
            : `${target.host === "::1" ? "[::1]" : target.host}:${target.port}`
        );
        const names = sockets.map(({ name }) => name).join(":");
        const program = new Program(
          t,
          spawn(SYSTEMD_ACTIVATE!, [
            ...listen.flatMap((address) => ["-l", address]),
            `--fdname=${names}`,
            "--",
            ...host.command(SERVICE),
          ], { stdio: ["ignore", "pipe", "pipe"] }),
        );
        // It becomes the service on the first connection, in the same process.
        const handed = await program.until(
          "systemd-socket-activate to listen",
          () => {
            const inodes = listeningInodes(program.pid);
            return inodes.length === sockets.length ? inodes : undefined;
          },
        );
        return { program, handed };
      }),
  );
}

for (const host of HOSTS) {
  test(`service on ${host.label} serves the only socket it is given`, (t) =>
    assertService(t, host, [2], async ([echo]) => {
      const { host: hostname, port } = echo!.target as {
        host: string;
        port: number;
      };
      return await withSockets(
        [parseSocketSpec(`echo=tcp:${hostname}:${port}`)],
        (bound) => ({
          program: start(t, host.command(SERVICE), bound),
          handed: inodes(bound),
        }),
      );
    }));

  test(`service on ${host.label} refuses a name that it doesn't know`, async (t) => {
    const program = await withSockets(
      ["web=tcp:127.0.0.1:0", "wbe=tcp:127.0.0.1:0"].map(parseSocketSpec),
      (bound) => start(t, host.command(SERVICE), bound),
    );
    assert.equal(await program.exited, 1);
    assert.match(program.stderr, /found \["wbe"\]/);
  });

  test(`service on ${host.label} says why it is not activated`, async (t) => {
    const program = start(t, host.command(SERVICE), [], {
      LISTEN_FDS: undefined,
    });
    assert.equal(await program.exited, 1);
    assert.match(program.stderr, /Not activated: LISTEN_FDS is not set/);
  });
}
