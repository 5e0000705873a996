/**
 * Clients that ask a server for as much as it can answer, and count what goes
 * wrong: every reset, refused, truncated, wrong and late answer.
 *
 *     node load.ts '{"port":8080,"groups":[…]}'
 *
 * Each line on standard input asks for the counts so far; its end ends the load,
 * after the answers that are still to come.
 */

import { createHash, randomBytes } from "node:crypto";
import process from "node:process";
import { createInterface } from "node:readline";
import {
  setImmediate as poll,
  setTimeout as sleep,
} from "node:timers/promises";
import { setPriority } from "../../harness/processor_time.ts";
import {
  ClientConnection,
  Failure,
  type FailureKind,
  FAILURES,
  type Sent,
} from "./http_client.ts";
import { workBody } from "./work.ts";

/** Clients that do the same. */
export interface Group {
  /** The name of the counts. */
  readonly name: string;
  readonly clients: number;
  /** Whether connections are used again. */
  readonly keepAlive: boolean;
  /** The time of the handler; uploads take as long to send. */
  readonly handlerMs: number;
  /**
   * What is asked for: a path that `service.ts` answers, an upload to it, a path
   * that the first program of README.md answers, or the health of code-server.
   *
   * @default {"work"}
   */
  readonly content?: "work" | "upload" | "hello" | "health";
  /** The longest time between requests of a client, which is random. */
  readonly pauseMs: number;
}

/** The load to apply. */
export interface Load {
  readonly port: number;
  readonly groups: readonly Group[];
  /** The longest time of an answer. */
  readonly timeoutMs: number;
}

/** The results of the requests of a group. */
export interface Counts extends Record<FailureKind, number> {
  answered: number;
  connections: number;
  /** Of all answers, the longest time since the client asked, or connected. */
  slowestMs: number;
  /** Of the first failures, what they were. */
  messages: string[];
}

/** The counts of all groups, by name. */
export type Report = Record<string, Counts>;

/** Returns the number of failed requests of a group. */
export function failed(counts: Counts): number {
  return FAILURES.reduce((sum, kind) => sum + counts[kind], 0);
}

const UPLOAD_PARTS = 10;
const UPLOAD_PART_BYTES = 4096;

/** Applies a load until it is stopped. */
export class LoadGenerator {
  readonly #load: Load;
  readonly report: Report;
  #isStopping = false;
  #ids = 0;
  readonly #done: Promise<unknown>;

  constructor(load: Load) {
    this.#load = load;
    this.report = Object.fromEntries(load.groups.map(({ name }) => [name, {
      ...Object.fromEntries(FAILURES.map((kind) => [kind, 0])),
      answered: 0,
      connections: 0,
      slowestMs: 0,
      messages: [],
    } as never as Counts]));
    this.#done = Promise.all(
      load.groups.flatMap((group) =>
        Array.from({ length: group.clients }, () => this.#client(group))
      ),
    );
  }

  /** Lets each client end with its answer. */
  async stop(): Promise<Report> {
    this.#isStopping = true;
    await this.#done;
    return this.report;
  }

  async #client(group: Group): Promise<void> {
    const counts = this.report[group.name]!;
    let connection: ClientConnection | undefined;
    while (!this.#isStopping) {
      await sleep(Math.random() * group.pauseMs);
      // Timers precede input: after a stall of this process, the end of a connection
      // may have arrived long before, and not be read yet.
      await poll();
      const begun = performance.now();
      try {
        // What the server has ended while nothing was asked is no failure.
        if (!connection?.isUsable) {
          connection?.close();
          connection = undefined;
          connection = await ClientConnection.open({
            host: "127.0.0.1",
            port: this.#load.port,
          });
          counts.connections++;
        }
        const { sent, expected } = this.#next(group);
        const answer = await connection.request(sent, this.#load.timeoutMs);
        const isExpected = typeof expected === "string"
          ? answer.body === expected
          : expected.test(answer.body);
        if (answer.status !== 200 || !isExpected) {
          const { status, body } = answer;
          throw new Failure("wrong", `${sent.path}: ${status}, ${body}`);
        }
        counts.answered++;
        counts.slowestMs = Math.max(
          counts.slowestMs,
          Math.ceil(performance.now() - begun),
        );
        if (answer.isLast || !group.keepAlive) {
          connection.close();
          connection = undefined;
        }
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        counts[error.kind]++;
        if (counts.messages.length < 5) counts.messages.push(error.message);
        connection?.close();
        connection = undefined;
        // A server that is not there would be asked all the time.
        await sleep(10);
      }
    }
    connection?.close();
  }

  #next({ content, keepAlive, handlerMs }: Group): {
    sent: Sent;
    expected: string | RegExp;
  } {
    const isLast = !keepAlive;
    if (content !== "upload") {
      const id = `${process.pid}-${this.#ids++}`;
      if (content === "hello") {
        return {
          sent: { path: `/${id}`, isLast },
          expected: `hello from /${id}\n`,
        };
      }
      if (content === "health") {
        return {
          sent: { path: "/healthz", isLast },
          expected: /^\{"status":"\w+","lastHeartbeat":\d+\}$/,
        };
      }
      const path = `/work?id=${id}&ms=${handlerMs}`;
      return { sent: { path, isLast }, expected: workBody(id) };
    }
    const parts = Array.from(
      { length: UPLOAD_PARTS },
      () => randomBytes(UPLOAD_PART_BYTES),
    );
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return {
      sent: {
        path: "/upload",
        parts,
        partDelayMs: handlerMs / UPLOAD_PARTS,
        isLast,
      },
      expected: hash.digest("hex"),
    };
  }
}

if (import.meta.main) {
  // A client that connects, and then doesn't get a core to send its request, looks
  // like one that has none.
  setPriority("PRIORITY_HIGHEST");
  const generator = new LoadGenerator(JSON.parse(process.argv[2]!));
  const report = () => console.log(JSON.stringify(generator.report));
  for await (const _ of createInterface({ input: process.stdin })) report();
  await generator.stop();
  report();
}
