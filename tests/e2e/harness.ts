/**
 * Starts programs on each runtime with real descriptors, and talks to them.
 * The end-to-end tests run on Node and start everything else.
 */

import assert from "node:assert/strict";
import {
  type ChildProcess,
  execFileSync,
  spawn,
  spawnSync,
} from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import {
  type BoundSocket,
  type NamedDescriptor,
  parseSocketSpec,
  spawnActivated,
  withSockets,
} from "../../src/cli/activator/activator.ts";

export const ROOT: string = path.resolve(import.meta.dirname!, "../..");
export const SERVICE: string = path.join(ROOT, "examples/service.ts");
export const AGENT: string = path.join(ROOT, "tests/fixtures/agent.ts");
export const NATIVE_AGENT: string = path.join(
  ROOT,
  "tests/fixtures/native_agent.ts",
);

/** The permissions that a service on Deno needs; nothing else. */
export const DENO_PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-env=LISTEN_PID,LISTEN_PIDFDID,LISTEN_FDS,LISTEN_FDNAMES",
];

/** A runtime, with the way it is started. */
export interface Host {
  /** What tests call it, such as `node 24` or `deno 2.9 -A`. */
  readonly label: string;
  readonly runtime: "deno" | "bun" | "node";
  /** Whether what descriptors are can be told. */
  readonly inspects: boolean;
  /** Whether the runtime's own servers can be put onto descriptors. */
  readonly adopts: boolean;
  /** Whether `node:net` takes descriptors. */
  readonly isPortable: boolean;
  /** The command line that runs a script. */
  readonly command: (script: string, ...args: string[]) => string[];
}

/** A program that runs scripts. */
export interface Tool {
  readonly label: string;
  readonly runtime: "deno" | "bun" | "node";
  readonly version: string;
  readonly path: string;
}

/** The versions from which on `node:net` takes descriptors. */
const PORTABLE_VERSIONS = { deno: [2, 8], bun: [1, 4], node: [22, 0] } as const;

function isPortable({ runtime, version }: Tool): boolean {
  const [major, minor] = version.split(".").map(Number) as [number, number];
  const [since, sinceMinor] = PORTABLE_VERSIONS[runtime];
  return major > since || (major === since && minor >= sinceMinor);
}

/** The programs of all runtimes. */
export const TOOLS: readonly Tool[] = readTools();

/** All runtimes; Deno twice: with the permissions it needs, and with all. */
export const HOSTS: readonly Host[] = TOOLS.flatMap(
  (tool): Host[] => {
    const { label, runtime, path } = tool;
    const host = (suffix: string, ...flags: string[]): Host => ({
      label: label + suffix,
      runtime,
      inspects: !flags.includes("--no-prompt"),
      adopts: runtime !== "node" && !flags.includes("--no-prompt"),
      isPortable: isPortable(tool),
      command: (script, ...args) => [path, ...flags, script, ...args],
    });
    return runtime === "deno"
      ? [
        host("", "run", ...DENO_PERMISSIONS),
        host(" -A", "run", "-A"),
      ]
      : [host("")];
  },
);

/** The hosts that the command runs on: Deno needs all permissions for it. */
export const ACTIVATORS: readonly Host[] = HOSTS.filter(({ runtime, label }) =>
  runtime !== "deno" || label.endsWith(" -A")
);

/** The command `listenfds`. */
export const COMMAND: string = path.join(ROOT, "src/cli/bin.ts");

function readTools(): Tool[] {
  const text = process.env["LISTENFDS_TOOLS"];
  if (text === undefined) {
    throw new Error("LISTENFDS_TOOLS is not set: run deno task test:e2e");
  }
  return JSON.parse(text);
}

/** Whether systemd's own activator is installed. */
export const SYSTEMD_ACTIVATE: string | undefined = findProgram(
  "systemd-socket-activate",
);

function findProgram(name: string): string | undefined {
  const { status, stdout } = spawnSync("/bin/sh", ["-c", `command -v ${name}`]);
  return status === 0 ? String(stdout).trim() : undefined;
}

/** A folder of the test's own, removed afterwards. */
export function temporaryFolder(t: TestContext): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "listenfds-"));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A started program. */
export class Program {
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  stdout = "";
  stderr = "";

  constructor(t: TestContext, child: ChildProcess) {
    this.process = child;
    child.stdout?.setEncoding("utf8").on("data", (text) => this.stdout += text);
    child.stderr?.setEncoding("utf8").on("data", (text) => this.stderr += text);
    this.exited = once(child, "close").then(() => child.exitCode);
    t.after(async () => {
      // A program that was started by the child ends when its input does.
      child.stdin?.destroy();
      child.kill("SIGKILL");
      await this.exited;
    });
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** Ends it as a service manager does. */
  async terminate(): Promise<number | null> {
    this.process.kill("SIGTERM");
    return await this.exited;
  }

  /** Waits until a check passes; fails at once if the program has ended. */
  async until<T>(
    what: string,
    check: () => T | undefined | Promise<T | undefined>,
  ): Promise<T> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const value = await check();
      if (value !== undefined) return value;
      const { exitCode, signalCode } = this.process;
      if (exitCode !== null || signalCode !== null) {
        await this.exited;
        assert.fail(
          `Waiting for ${what}: ended with ${exitCode ?? signalCode}\n` +
            this.stdout + this.stderr,
        );
      }
      if (Date.now() > deadline) {
        assert.fail(
          `Waiting for ${what}: timed out\n${this.stdout}${this.stderr}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

const PIPES = ["pipe", "pipe", "pipe"] as const;

/** Changes to a program's environment. */
type Environment = Record<string, string | undefined>;

/** Starts a command with descriptors of this process. */
export function start(
  t: TestContext,
  command: readonly string[],
  descriptors: readonly NamedDescriptor[],
  env: Environment = {},
): Program {
  return new Program(
    t,
    spawnActivated(command, descriptors, { stdio: PIPES, env }),
  );
}

/** An error as the agent reports it. */
export interface Reported {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
}

/** The program of `tests/fixtures/agent.ts`. */
export class Agent extends Program {
  readonly #pending = new Map<number, (line: string) => void>();
  #lines = "";
  #calls = 0;

  constructor(t: TestContext, child: ChildProcess) {
    super(t, child);
    child.stdin!.on("error", () => {});
    child.stdout!.on("data", (text: string) => {
      const lines = (this.#lines + text).split("\n");
      this.#lines = lines.pop()!;
      for (const line of lines) {
        const { id } = JSON.parse(line);
        this.#pending.get(id)?.(line);
        this.#pending.delete(id);
      }
    });
  }

  /** Calls an operation of the agent. */
  // deno-lint-ignore no-explicit-any
  async call(op: string, ...args: unknown[]): Promise<any> {
    const { value, error } = await this.#send(op, args);
    if (error !== undefined) {
      assert.fail(`${op}(): ${error.name} ${error.code}: ${error.message}`);
    }
    return value;
  }

  /** Calls an operation that must fail. */
  async fail(op: string, ...args: unknown[]): Promise<Reported> {
    const { value, error } = await this.#send(op, args);
    if (error === undefined) {
      assert.fail(`${op}() should fail, found ${JSON.stringify(value)}`);
    }
    // No message may bring a control character onto a terminal.
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(error.message, /[\x00-\x1f\x7f-\x9f]/);
    return error;
  }

  async #send(
    op: string,
    args: unknown[],
  ): Promise<{ value?: unknown; error?: Reported }> {
    const id = this.#calls++;
    let line: string | undefined;
    this.#pending.set(id, (found) => line = found);
    this.process.stdin!.write(`${JSON.stringify({ id, op, args })}\n`);
    return JSON.parse(await this.until(`${op}()`, () => line));
  }
}

/** Starts the agent with descriptors of this process. */
export function startAgent(
  t: TestContext,
  host: Host,
  descriptors: readonly NamedDescriptor[],
  env: Environment = {},
  script: string = AGENT,
): Agent {
  const command = host.command(script);
  return new Agent(
    t,
    spawnActivated(command, descriptors, { stdio: PIPES, env }),
  );
}

/** Starts the agent without any activation. */
export function startInactive(
  t: TestContext,
  command: readonly string[],
  env: Environment = {},
): Agent {
  const [program, ...args] = command;
  return new Agent(
    t,
    spawn(program!, args, {
      stdio: [...PIPES],
      env: { ...process.env, ...env },
    }),
  );
}

/** The command line of the agent on a host, with other flags for Deno. */
export function agentCommand(host: Host, ...denoFlags: string[]): string[] {
  const command = host.command(AGENT);
  return host.runtime === "deno" && denoFlags.length > 0
    ? [command[0]!, "run", ...denoFlags, AGENT]
    : command;
}

/** A bound socket, with what tests compare. */
export interface Handed extends BoundSocket {
  readonly inode: number;
}

/**
 * Binds sockets, such as `web=tcp:127.0.0.1:0`, and starts the agent with them.
 */
export async function activateAgent(
  t: TestContext,
  host: Host,
  sockets: readonly string[],
  env: Environment = {},
  script: string = AGENT,
): Promise<{ agent: Agent; sockets: readonly Handed[] }> {
  return await withSockets(sockets.map(parseSocketSpec), (bound) => ({
    agent: startAgent(t, host, bound, env, script),
    sockets: bound.map(withInode),
  }));
}

/** Notes the inode of a socket while this process has it open. */
export function withInode(socket: BoundSocket): Handed {
  return { ...socket, inode: fs.fstatSync(socket.fd).ino };
}

/** The inodes of all sockets that a process listens on, sorted. */
export function listeningInodes(pid: number): number[] {
  const open = new Set(
    fs.readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        const link = fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
        return /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  const listening: string[] = [];
  for (const table of ["tcp", "tcp6"]) {
    for (const line of readTable(pid, table)) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] === "0A") listening.push(fields[9]!);
    }
  }
  for (const line of readTable(pid, "unix")) {
    const fields = line.split(/\s+/);
    if (fields[3] === "00010000") listening.push(fields[6]!);
  }
  return listening.filter((inode) => open.has(inode)).map(Number)
    .sort((a, b) => a - b);
}

function readTable(pid: number, name: string): string[] {
  const file = `/proc/${pid}/net/${name}`;
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n") : [];
}

/** Checks that a process listens on exactly what it was handed. */
export function assertListensOnly(
  { pid }: Program,
  sockets: readonly Handed[],
): void {
  assert.deepEqual(
    listeningInodes(pid),
    sockets.map(({ inode }) => inode).sort((a, b) => a - b),
  );
}

/** Waits until a process listens on exactly these sockets. */
export async function untilListensOnly(
  program: Program,
  sockets: readonly Handed[],
): Promise<void> {
  await program.until(`listening on ${sockets.length} sockets`, () => {
    try {
      assertListensOnly(program, sockets);
      return true;
    } catch {
      return undefined;
    }
  });
}

/** Where a client connects. */
export type Target = net.NetConnectOpts;

/** Connects, or `undefined` while nobody listens. */
export function tryConnect(target: Target): Promise<net.Socket | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(target);
    socket.once("connect", () => {
      socket.off("error", onError);
      resolve(socket);
    });
    const onError = () => resolve(undefined);
    socket.once("error", onError);
  });
}

/** Sends bytes, ends the sending side, and reads all that comes back. */
export async function exchange(target: Target, text: string): Promise<string> {
  const socket = net.connect({ ...target, allowHalfOpen: true });
  socket.end(text);
  let answer = "";
  for await (const chunk of socket.setEncoding("utf8")) answer += chunk;
  return answer;
}

/** An HTTP response, read whole. */
export interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** Sends an HTTP request on a connection of its own. */
export function request(
  target: http.RequestOptions,
  options: http.RequestOptions = {},
  body?: string | Uint8Array,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = http.request(
      { agent: false, ...target, ...options },
      async (response) => {
        try {
          let text = "";
          for await (const chunk of response.setEncoding("latin1")) {
            text += chunk;
          }
          const { statusCode, headers } = response;
          resolve({ status: statusCode!, headers, body: text });
        } catch (error) {
          reject(error);
        }
      },
    );
    sent.once("error", reject);
    sent.end(body);
  });
}

/** Ports that are free now, on IPv4 and IPv6. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer());
  const ports = await Promise.all(servers.map(async (server) => {
    server.listen({ port: 0, host: "127.0.0.1" });
    await once(server, "listening");
    return (server.address() as net.AddressInfo).port;
  }));
  for (const server of servers) server.close();
  return ports;
}

/** A self-signed certificate for `localhost`, made by openssl. */
export function makeCertificate(
  folder: string,
): { key: string; cert: string } | undefined {
  if (findProgram("openssl") === undefined) return undefined;
  const key = path.join(folder, "key.pem");
  const cert = path.join(folder, "cert.pem");
  execFileSync("openssl", [
    ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split(
      " ",
    ),
    ...["-keyout", key, "-out", cert],
  ], { stdio: "ignore" });
  return {
    key: fs.readFileSync(key, "utf8"),
    cert: fs.readFileSync(cert, "utf8"),
  };
}
