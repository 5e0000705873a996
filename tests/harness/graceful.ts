/** Services that shut down gracefully, and what their clients see of it. */

import assert from "node:assert/strict";
import path from "node:path";
import type { TestContext } from "node:test";
import type { TcpTarget } from "./client.ts";
import { type Client, CLOSE, openClient } from "./draining.ts";
import { type Host, ROOT } from "./hosts.ts";
import { type Program, startActivated } from "./program.ts";
import { bindSockets } from "./sockets.ts";

/** Settings of a program of `tests/fixtures/graceful/`. */
export interface Settings {
  /** Milliseconds that a shutdown takes at most. */
  readonly timeout?: number;
  /** Milliseconds that the process has after the shutdown. */
  readonly exitMs?: number;
  readonly gracefulShutdown?: boolean;
  /** Whether the program binds a port of its own. */
  readonly fallback?: boolean;
}

/** How a program ended. */
export interface End {
  /** The exit status, or the name of the signal. */
  readonly status: number | string;
  /** Milliseconds since the signal. */
  readonly ms: number;
}

/** A started program, and the addresses of its sockets. */
export interface Service {
  readonly program: Program;
  readonly web: TcpTarget;
  readonly targets: readonly TcpTarget[];
}

/** Returns the path of a program. */
export function fixture(name: string): string {
  return path.join(ROOT, "tests/fixtures/graceful", name);
}

/** Starts a program with sockets, and waits until it has done its steps. */
export async function startService(
  t: TestContext,
  host: Pick<Host, "command">,
  steps: readonly string[],
  settings: Settings = {},
  names: readonly string[] = ["web"],
): Promise<Service> {
  const specs = names.map((name) => `${name}=tcp:127.0.0.1:0`);
  const service = await bindSockets(specs, (sockets) => {
    const command = host.command(
      fixture("program.ts"),
      JSON.stringify(settings),
      ...steps,
    );
    const program = startActivated(t, command, sockets);
    const targets = sockets.map(({ port }) => ({
      host: "127.0.0.1",
      port: port!,
    }));
    return { program, targets, web: targets[0]! };
  });
  await untilPrinted(service.program, "ready");
  return service;
}

/** Waits until a program has printed a line. */
export async function untilPrinted(
  program: Program,
  line: string | RegExp,
  count = 1,
): Promise<void> {
  await program.until(
    `${count} times "${line}"`,
    () => program.stdout.split("\n").filter((text) => matches(text, line)),
    (lines) => lines.length >= count,
  );
}

function matches(text: string, line: string | RegExp): boolean {
  return typeof line === "string" ? text === line : line.test(text);
}

/** Waits for the end of a program, and reports it. */
export async function endOf(
  t: TestContext,
  program: Program,
  signalledAt: number,
): Promise<End> {
  await program.exited;
  const { exitCode, signalCode } = program.process;
  const end = {
    status: exitCode ?? signalCode!,
    ms: Math.round(performance.now() - signalledAt),
  };
  t.diagnostic(`status ${end.status} after ${end.ms} ms`);
  // Deno reports what fills its cache, and waiting for another process there.
  const progress = /^(Download |.*waiting for file lock).*\n/gm;
  const errors = program.stderr.replace(progress, "");
  assert.equal(errors, "");
  return end;
}

/** Sends a signal, and waits for the end. */
export async function signal(
  t: TestContext,
  program: Program,
  name: NodeJS.Signals = "SIGTERM",
): Promise<End> {
  const signalledAt = performance.now();
  program.process.kill(name);
  return await endOf(t, program, signalledAt);
}

/** Opens a client whose first request is answered, and which stays connected. */
export async function openUsedClient(
  t: TestContext,
  { program, web }: Service,
  target: TcpTarget = web,
): Promise<Client> {
  const client = await openClient(t, target);
  await client.ask(program, "/fast", "hello\n");
  assert.doesNotMatch(client.received, CLOSE);
  return client;
}

/** Opens a client whose request the program is answering. */
export async function openBusyClient(
  t: TestContext,
  { program, web }: Service,
  requestPath: "/hold" | "/stuck" | "/slow" | "/end" = "/hold",
  target: TcpTarget = web,
): Promise<Client> {
  const client = await openClient(t, target);
  client.send(requestPath);
  await untilPrinted(program, "begun");
  return client;
}

/**
 * Sends SIGTERM while a request is in flight and another one is on its way, and
 * waits for the end; both are answered.
 */
export async function terminateBusy(
  t: TestContext,
  service: Service,
): Promise<End> {
  const { program } = service;
  const busy = await openBusyClient(t, service);
  const used = await openUsedClient(t, service);
  used.received = "";
  const signalledAt = performance.now();
  program.process.kill("SIGTERM");
  used.send("/fast");
  const end = await endOf(t, program, signalledAt);
  for (const [client, body] of [[busy, "held\n"], [used, "hello\n"]] as const) {
    await client.untilEnded();
    assert.ok(client.received.includes(body), client.received);
  }
  assert.match(busy.received, CLOSE);
  return end;
}
