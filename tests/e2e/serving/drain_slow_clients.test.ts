/**
 * Clients that are slow, late or unfinished when a server is stopped: a graceful
 * shutdown loses nothing that the runtime's own stop keeps.
 */

import assert from "node:assert/strict";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import type { SlowServerKind, StopMode } from "../../fixtures/operations.ts";
import { untilPrinted } from "../../harness/graceful.ts";
import {
  forEachHost,
  type Host,
  hostsWith,
  NODE_HOST,
  ROOT,
} from "../../harness/hosts.ts";
import {
  createCertificate,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import {
  type Program,
  startActivated,
  startProgram,
} from "../../harness/program.ts";
import {
  HTTP2_CLIENTS,
  HTTP_CLIENTS,
  RAW_CLIENTS,
  type SlowClient,
  WEB_SOCKET_CLIENTS,
  WHOLE,
} from "../../harness/slow_clients.ts";
import { bindSockets } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const SERVICE = path.join(ROOT, "tests/fixtures/slow_service.ts");

/**
 * Whether this is the long form: Node's own servers on every version, and the
 * runtime's own stop.
 */
const IS_LONG = process.env["LISTENFDS_OWN_STOPS"] !== undefined;

/** The clients of each server. */
const CLIENTS: Readonly<
  Record<SlowServerKind, Readonly<Record<string, SlowClient>>>
> = {
  "deno http": { ...HTTP_CLIENTS, ...WEB_SOCKET_CLIENTS, ...HTTP2_CLIENTS },
  "deno https": { ...HTTP_CLIENTS, ...WEB_SOCKET_CLIENTS, ...HTTP2_CLIENTS },
  "deno listen": RAW_CLIENTS,
  "deno tls": RAW_CLIENTS,
  "bun http": { ...HTTP_CLIENTS, ...WEB_SOCKET_CLIENTS },
  "bun https": { ...HTTP_CLIENTS, ...WEB_SOCKET_CLIENTS },
  "neutral http": HTTP_CLIENTS,
  "portable http": HTTP_CLIENTS,
  "neutral listen": RAW_CLIENTS,
  "portable listen": RAW_CLIENTS,
  "node http": { ...HTTP_CLIENTS, ...WEB_SOCKET_CLIENTS },
  "node https": HTTP_CLIENTS,
  "node http2": HTTP2_CLIENTS,
  "node http2 tls": { ...HTTP_CLIENTS, ...HTTP2_CLIENTS },
  "node net": RAW_CLIENTS,
  "node tls": RAW_CLIENTS,
};

/** Clients that a server loses with its own stop, too, and without any. */
function limitsOf({ runtime }: Host, kind: SlowServerKind): readonly string[] {
  // Bun.serve answers no request that was pipelined behind a slow one.
  return runtime === "bun" && !kind.startsWith("portable")
    ? ["pipelined requests"]
    : [];
}

/** The servers with the same name as a runtime's own, and the rest. */
function kindsOf(
  { label, runtime, adopts, isPortable }: Host,
): SlowServerKind[] {
  const kinds = Object.keys(CLIENTS) as SlowServerKind[];
  return kinds.filter((kind) => {
    const [name] = kind.split(" ");
    if (name === "neutral") return true;
    if (name === "portable") return adopts && isPortable;
    if (name !== runtime) return false;
    return runtime === "node" ? IS_LONG || label === NODE_HOST.label : adopts;
  });
}

/** Runs a client against a server that is stopped meanwhile. */
async function runClient(
  t: TestContext,
  host: Host,
  kind: SlowServerKind,
  mode: StopMode,
  client: SlowClient,
  directory: string,
): Promise<string> {
  const command = host.command(SERVICE, kind, mode, directory);
  const isTls = /https|tls/.test(kind);
  if (mode === "own") {
    const program = startProgram(t, command);
    await untilPrinted(program, /^port \d+$/);
    const port = Number(/^port (\d+)$/m.exec(program.stdout)![1]);
    return await finish(program, client({ program, port, isTls }));
  }
  const { program, port } = await bindSockets(
    ["web=tcp:127.0.0.1:0"],
    ([web]) => ({
      program: startActivated(t, command, [web!]),
      port: web!.port!,
    }),
  );
  await untilPrinted(program, "ready");
  return await finish(program, client({ program, port, isTls }));
}

async function finish(
  program: Program,
  running: Promise<string>,
): Promise<string> {
  const report = await running;
  if (program.stderr !== "") console.error(program.stderr);
  program.process.kill("SIGKILL");
  return report;
}

forEachHost(hostsWith({ serves: true }), (host) => {
  for (const kind of kindsOf(host)) {
    test(`a graceful shutdown of "${kind}" on ${host.label} keeps what the runtime's own stop keeps`, async (t) => {
      const directory = temporaryDirectory(t);
      if (createCertificate(directory) === undefined) {
        return t.skip("openssl is not installed");
      }
      const hasOwn = IS_LONG && !/^(neutral|portable)/.test(kind);
      const rows: { name: string; inherited: string; own?: string }[] = [];
      const clients = Object.entries(CLIENTS[kind]);
      // Not all at once, because a server that is short of time keeps more.
      const runNext = async (): Promise<void> => {
        const next = clients.shift();
        if (next === undefined) return;
        const [name, client] = next;
        const run = (mode: StopMode) =>
          runClient(t, host, kind, mode, client, directory);
        const inherited = await run("inherited");
        const own = hasOwn ? await run("own") : undefined;
        t.diagnostic(`${name}: ${inherited}; own: ${own ?? "-"}`);
        rows.push({ name, inherited, ...(own !== undefined && { own }) });
        await runNext();
      };
      await Promise.all([runNext(), runNext(), runNext()]);
      const limits = limitsOf(host, kind);
      for (const { name, inherited, own } of rows) {
        if (limits.includes(name)) {
          if (hasOwn) assert.notEqual(own, WHOLE, name);
        } else assert.equal(inherited, WHOLE, `${name}; own stop: ${own}`);
      }
    });
  }
});
