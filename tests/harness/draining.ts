/** Programs whose servers are drained, and clients that write by hand. */

import assert from "node:assert/strict";
import type net from "node:net";
import type { TestContext } from "node:test";
import type {
  DrainOperations,
  ServerKind,
  Times,
} from "../fixtures/operations.ts";
import { type Agent, DRAIN_AGENT, startAgent } from "./agent.ts";
import { connect, type TcpTarget } from "./client.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./hosts.ts";
import type { Program } from "./program.ts";
import { bindSockets, type HandedSocket } from "./sockets.ts";

/** A process that serves, and its sockets. */
export interface Generations {
  readonly agent: Agent<DrainOperations>;
  /** The process that comes after it, with the same sockets. */
  readonly next: Agent<DrainOperations>;
  readonly sockets: readonly HandedSocket[];
  /** The target of `web`, and that of `admin` where it was asked for. */
  readonly web: TcpTarget;
  readonly admin: TcpTarget;
}

/** Starts two processes with the same sockets; nothing serves yet. */
export async function startGenerations(
  t: TestContext,
  host: Host,
  names: readonly ("web" | "admin")[] = ["web"],
): Promise<Generations> {
  const specs = names.map((name) => `${name}=tcp:127.0.0.1:0`);
  return await bindSockets(specs, (sockets) => {
    const target = (name: string) => {
      const socket = sockets.find((socket) => socket.name === name);
      return { host: "127.0.0.1", port: socket?.port ?? 0 };
    };
    return {
      agent: startAgent(t, host, sockets, {}, DRAIN_AGENT),
      next: startAgent(t, host, sockets, {}, DRAIN_AGENT),
      sockets,
      web: target("web"),
      admin: target("admin"),
    };
  });
}

/**
 * Keeps idle connections open while a server drains, so that a test doesn't
 * depend on how soon a client's next request arrives.
 */
export const KEEP_IDLE: Times = { quietTicks: 1e6, maxQuietTicks: 1e6 };
/** Ends idle connections soon: the end of {@linkcode KEEP_IDLE}. */
export const END_IDLE: Times = { quietTicks: 1, maxQuietTicks: 1 };

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

  /** Sends a request, and waits for a text in the answer to this one. */
  async ask(
    server: Program,
    path: string,
    text: string | RegExp,
  ): Promise<void> {
    this.received = "";
    this.send(path);
    await this.until(server, text);
  }

  /** Waits until the server has ended the connection. */
  async untilEnded(): Promise<void> {
    await eventually(
      "the end of the connection",
      () => this.ended || this.error !== undefined,
    );
  }

  /** Waits for a text in what the server sends. */
  async until(server: Program, text: string | RegExp): Promise<void> {
    await server.until(`${text}`, () => this.received, (received) => {
      if (received.search(text) >= 0) return true;
      if (this.ended || this.error) {
        assert.fail(`${this.error ?? "ended"} after ${received}`);
      }
      return false;
    });
  }
}

/** Connects a client. */
export async function openClient(
  t: TestContext,
  target: TcpTarget,
): Promise<Client> {
  return new Client(t, await connect(target));
}

/** Waits until some requests have begun. */
export async function untilBegun(
  agent: Agent<DrainOperations>,
  count: number,
): Promise<void> {
  await agent.until(
    `${count} requests to begin`,
    () => agent.call("begun"),
    (begun) => begun >= count,
  );
}

/** Begins to drain all servers; `drained` settles when they have ended. */
export async function beginDrain(
  agent: Agent<DrainOperations>,
): Promise<{ readonly drained: Promise<number> }> {
  const drained = agent.call("drain");
  // Calls begin in order.
  await agent.call("begun");
  return { drained };
}

/** The header of the last answer on a connection. */
export const CLOSE: RegExp = /^connection: close\r$/im;

/** The answer to a failed request: the body has the words of the status line, or it is Bun's own page. */
export function pageOf500(kind: ServerKind): RegExp {
  return kind === "bun"
    ? /HTTP[^]*\r\n\r\n[^]*(<\/html>|Something went wrong!)/
    : /HTTP[^]*\r\n\r\n[^]*Internal Server Error/;
}
