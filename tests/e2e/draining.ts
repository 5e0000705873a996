/** Programs whose servers are drained, and clients that write by hand. */

import type net from "node:net";
import assert from "node:assert/strict";
import path from "node:path";
import type { TestContext } from "node:test";
import {
  parseSocketSpec,
  withSockets,
} from "../../src/cli/activator/activator.ts";
import {
  type Agent,
  type Handed,
  type Host,
  HOSTS,
  ROOT,
  startAgent,
  tryConnect,
  withInode,
} from "./harness.ts";

const DRAIN_AGENT = path.join(ROOT, "tests/fixtures/drain_agent.ts");

/** Those that can serve at all. */
export const SERVING: readonly Host[] = HOSTS.filter(({ adopts, isPortable }) =>
  adopts || isPortable
);

/** A process that serves, and what it has. */
export interface Started {
  readonly agent: Agent;
  /** The process that comes after it, with the same sockets. */
  readonly next: Agent;
  readonly sockets: readonly Handed[];
  readonly target: { readonly host: string; readonly port: number };
}

/** Starts two processes with the same sockets, of which the first serves. */
export async function start(
  t: TestContext,
  host: Host,
  specs: readonly string[] = ["web=tcp:127.0.0.1:0"],
): Promise<Started> {
  return await withSockets(specs.map(parseSocketSpec), (bound) => ({
    agent: startAgent(t, host, bound, {}, DRAIN_AGENT),
    next: startAgent(t, host, bound, {}, DRAIN_AGENT),
    sockets: bound.map(withInode),
    target: { host: "127.0.0.1", port: bound[0]!.port! },
  }));
}

/** A connection on which requests are written by hand. */
export class Client {
  readonly socket: net.Socket;
  received = "";
  ended = false;
  error: Error | undefined;

  constructor(t: TestContext, socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding("latin1").on("data", (text) => this.received += text);
    socket.once("end", () => this.ended = true);
    socket.once("error", (error) => this.error = error);
    t.after(() => socket.destroy());
  }

  send(path: string, headers: string = ""): void {
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
  }

  /** Sends a request, and waits for what is to be in the answer to this one. */
  async ask(agent: Agent, path: string, text: string | RegExp): Promise<void> {
    this.received = "";
    this.send(path);
    await this.until(agent, text);
  }

  async until(agent: Agent, text: string | RegExp): Promise<void> {
    await agent.until(
      `${text} in ${JSON.stringify(this.received)}`,
      () => {
        if (this.received.search(text) >= 0) return true;
        if (this.ended || this.error) {
          assert.fail(`${this.error ?? "ended"} after ${this.received}`);
        }
      },
    );
  }
}

/** A client of a target. */
export async function connect(
  t: TestContext,
  target: Started["target"],
): Promise<Client> {
  return new Client(t, (await tryConnect(target))!);
}

/** Waits until so many requests have begun. */
export async function untilBegun(agent: Agent, count: number): Promise<void> {
  await agent.until(
    `${count} requests`,
    async () => await agent.call("begun") >= count || undefined,
  );
}

/** Waits for so many milliseconds, in which nothing is to happen. */
export async function aWhile(
  agent: Agent,
  milliseconds: number,
): Promise<void> {
  const started = performance.now();
  await agent.until(
    "a while",
    () => performance.now() - started > milliseconds || undefined,
  );
}

/** What an answer has that is the last on its connection. */
export const CLOSE: RegExp = /^connection: close\r$/im;
