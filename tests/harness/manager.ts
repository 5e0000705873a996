/** A service manager of the tests' own, which receives notifications. */

import path from "node:path";
import type { TestContext } from "node:test";
import { Program, spawnPiped } from "./program.ts";
import { ROOT } from "./hosts.ts";
import {
  missingProgram,
  NO_PYTHON,
  temporaryDirectory,
} from "./machine_tools.ts";

/** The reason why there is none, if there is one. */
export const NO_MANAGER: string | false = NO_PYTHON;
/** The reason why nothing can be sent without FFI, if there is one. */
export const NO_SYSTEMD_NOTIFY: string | false = missingProgram(
  "systemd-notify",
);

/** A message that has arrived. */
export interface Received {
  readonly lines: readonly string[];
  /** The kinds of the descriptors that came with it, such as `pipe`. */
  readonly fds: readonly string[];
  /** The inodes of these. */
  readonly inodes: readonly number[];
}

/** A process that receives messages at an address. */
export class FakeManager {
  /** The value of `NOTIFY_SOCKET`. */
  readonly address: string;
  readonly #program: Program;

  private constructor(address: string, program: Program) {
    this.address = address;
    this.#program = program;
  }

  static async start(
    t: TestContext,
    ...options: ("abstract" | "hold" | "deaf" | "full")[]
  ): Promise<FakeManager> {
    const file = path.join(temporaryDirectory(t), "notify");
    const address = options.includes("abstract") ? `@${file}` : file;
    const script = path.join(ROOT, "tests/fixtures/manager.py");
    const child = spawnPiped(["python3", script, address, ...options]);
    const manager = new FakeManager(address, new Program(t, child));
    await manager.#program.until(
      "the socket",
      () => manager.#read().length > 0,
    );
    return manager;
  }

  /** Lets one that is deaf read. */
  listen(): void {
    this.#program.process.stdin!.write("\n");
  }

  /** All messages so far, without the barriers of systemd-notify. */
  get messages(): Received[] {
    return (this.#read().slice(1) as Received[]).filter(({ lines }) =>
      lines[0] !== "BARRIER=1"
    );
  }

  /** All lines of all messages. */
  get lines(): string[] {
    return this.messages.flatMap(({ lines }) => lines);
  }

  /** The barriers so far. */
  get barriers(): Received[] {
    return (this.#read().slice(1) as Received[]).filter(({ lines }) =>
      lines[0] === "BARRIER=1"
    );
  }

  async until(
    accept: (lines: readonly string[]) => boolean,
  ): Promise<string[]> {
    return await this.#program.until("messages", () => this.lines, accept);
  }

  #read(): unknown[] {
    return this.#program.stdout.split("\n").slice(0, -1)
      .map((line) => JSON.parse(line));
  }
}
