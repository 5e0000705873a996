/** Agents: programs of `tests/fixtures` that do as a test calls them. */

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import path from "node:path";
import type { TestContext } from "node:test";
import {
  type NamedDescriptor,
  spawnActivated,
} from "../../src/cli/activator/activator.ts";
import type {
  AgentOperations,
  Answer,
  Arguments,
  CrowdOperations,
  CyclesOperations,
  DrainOperations,
  FileOperations,
  MetadataOperations,
  NativeOperations,
  OptionsOperations,
  PreloadOperations,
  WaysOperations,
} from "../fixtures/operations.ts";
import { type Host, ROOT } from "./hosts.ts";
import { type Environment, Program, spawnPiped } from "./program.ts";
import { bindSockets, type HandedSocket } from "./sockets.ts";

/** The path of an agent that has some operations. */
export type AgentScript<Operations> = string & {
  readonly operations?: Operations;
};

function script<Operations>(name: string): AgentScript<Operations> {
  return path.join(ROOT, "tests/fixtures", name);
}

export const AGENT: AgentScript<AgentOperations> = script("agent.ts");
export const DRAIN_AGENT: AgentScript<DrainOperations> = script(
  "drain_agent.ts",
);
export const METADATA_AGENT: AgentScript<MetadataOperations> = script(
  "metadata_agent.ts",
);
export const NATIVE_AGENT: AgentScript<NativeOperations> = script(
  "native_agent.ts",
);
export const OPTIONS_AGENT: AgentScript<OptionsOperations> = script(
  "options_agent.ts",
);

export const WAYS_AGENT: AgentScript<WaysOperations> = script("ways_agent.ts");
export const CYCLES_AGENT: AgentScript<CyclesOperations> = script(
  "cycles_agent.ts",
);
export const FILE_AGENT: AgentScript<FileOperations> = script("file_agent.ts");
export const CROWD: AgentScript<CrowdOperations> = script("crowd.ts");

export const PRELOAD_AGENT: AgentScript<PreloadOperations> = script(
  "preload_agent.ts",
);

/** An error as an agent reports it. */
export interface ReportedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly errno?: number;
}

/** A started agent. */
export class Agent<Operations = AgentOperations> extends Program {
  readonly #pending = new Map<number, (line: string) => void>();
  #unfinishedLine = "";
  #callCount = 0;

  constructor(t: TestContext, child: ChildProcess) {
    super(t, child);
    child.stdin!.on("error", () => {});
    child.stdout!.on("data", (text: string) => {
      const lines = (this.#unfinishedLine + text).split("\n");
      this.#unfinishedLine = lines.pop()!;
      for (const line of lines) {
        const { id } = JSON.parse(line);
        this.#pending.get(id)?.(line);
        this.#pending.delete(id);
      }
    });
  }

  /** Calls an operation of the agent. Calls begin in order. */
  async call<Name extends keyof Operations & string>(
    operation: Name,
    ...args: Arguments<Operations[Name]>
  ): Promise<Answer<Operations[Name]>> {
    const { value, error } = await this.#send(operation, args);
    if (error !== undefined) {
      const { name, code, message } = error;
      assert.fail(`${operation}(): ${name} ${code}: ${message}`);
    }
    return value as Answer<Operations[Name]>;
  }

  /** Calls an operation that must fail; its arguments may be wrong ones. */
  async fail(
    operation: keyof Operations & string,
    ...args: unknown[]
  ): Promise<ReportedError> {
    const { value, error } = await this.#send(operation, args);
    if (error === undefined) {
      assert.fail(`${operation}() should fail, found ${JSON.stringify(value)}`);
    }
    // No message may bring a control character onto a terminal.
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(error.message, /[\x00-\x1f\x7f-\x9f]/);
    return error;
  }

  async #send(
    operation: string,
    args: readonly unknown[],
  ): Promise<{ value?: unknown; error?: ReportedError }> {
    const id = this.#callCount++;
    let answer: string | undefined;
    this.#pending.set(id, (line) => answer = line);
    const call = JSON.stringify({ id, op: operation, args });
    this.process.stdin!.write(`${call}\n`);
    return JSON.parse(
      await this.until(`the answer of ${operation}()`, () => answer),
    );
  }
}

/** Starts an agent with descriptors of this process. */
export function startAgent<Operations = AgentOperations>(
  t: TestContext,
  host: Host,
  descriptors: readonly NamedDescriptor[],
  env: Environment = {},
  script: AgentScript<Operations> = AGENT as AgentScript<Operations>,
): Agent<Operations> {
  const stdio = ["pipe", "pipe", "pipe"] as const;
  const command = host.command(script);
  return new Agent(t, spawnActivated(command, descriptors, { stdio, env }));
}

/** Starts the agent without any activation. */
export function startInactive(
  t: TestContext,
  command: readonly string[],
  env: Environment = {},
): Agent {
  return new Agent(t, spawnPiped(command, { env }));
}

/** Returns the command line of the agent, with other flags for Deno. */
export function agentCommand(host: Host, ...denoFlags: string[]): string[] {
  const command = host.command(AGENT);
  return host.runtime === "deno" && denoFlags.length > 0
    ? [command[0]!, "run", ...denoFlags, AGENT]
    : command;
}

/**
 * Binds sockets, such as `web=tcp:127.0.0.1:0`, and starts an agent with them.
 */
export async function activateAgent<Operations = AgentOperations>(
  t: TestContext,
  host: Host,
  specs: readonly string[],
  env: Environment = {},
  script: AgentScript<Operations> = AGENT as AgentScript<Operations>,
): Promise<
  { agent: Agent<Operations>; sockets: readonly HandedSocket[] }
> {
  return await bindSockets(specs, (sockets) => ({
    agent: startAgent(t, host, sockets, env, script),
    sockets,
  }));
}
