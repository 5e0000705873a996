/**
 * A systemd of the tests' own: it runs real units, and nothing is left of it
 * afterwards, however the tests end.
 */

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import type dgram from "node:dgram";
import { once } from "node:events";
import fs from "node:fs";
import type http from "node:http";
import net from "node:net";
import path from "node:path";
import process from "node:process";
import { after, before, type TestContext } from "node:test";
import { exchange, type Reply, request } from "../../harness/client.ts";
import { eventually } from "../../harness/eventually.ts";
import { ROOT, TOOLS } from "../../harness/hosts.ts";
import { hasEnded } from "../../harness/program.ts";
import { CLEANUP } from "../../harness/timed_test.ts";
import type { Dial, Dialed } from "./dialer.ts";

const SCRIPT = path.join(import.meta.dirname!, "machine.sh");
const DIALER = path.join(import.meta.dirname!, "dialer.ts");

/** The version of the systemd that the tests boot, such as 252. */
export const SYSTEMD_VERSION: number = readVersion();

/** Reads it from the name of a library that has no other version. */
function readVersion(): number {
  const usr = process.env["LISTENFDS_SYSTEMD_USR"] ?? "/usr";
  const [library] = fs.globSync(
    `${usr}/lib/{,*/}systemd/libsystemd-shared-*.so`,
  );
  return Number(/-(\d+)[^-]*\.so$/.exec(library ?? "")?.[1] ?? 0);
}

/** The reason why a test can't run that needs a version, if there is one. */
export function lacksVersion(version: number): string | false {
  if (NO_MACHINE !== false) return NO_MACHINE;
  return SYSTEMD_VERSION < version && `needs systemd ${version}`;
}

/** The reason why no systemd can be booted here, if there is one. */
export const NO_MACHINE: string | false = whyNot();

function whyNot(): string | false {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid!() !== 0) return "needs root, to make namespaces";
  if (!fs.existsSync("/lib/systemd/systemd")) return "systemd is not installed";
  const { status, stderr, error } = spawnSync("unshare", [
    "--mount",
    ...["sh", SCRIPT, "try"],
  ], { encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] });
  if (status === 0) return false;
  const reason = stderr?.trim().split("\n").at(-1) || error?.message;
  return `no namespaces for a systemd of its own: ${reason ?? status}`;
}

/** The output of a command, and its status. */
export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The text of units, by their names. */
export type Units = Readonly<Record<string, string>>;

/** A booted systemd. */
export class Machine {
  /** Its first process, as this machine numbers it. */
  readonly pid: number;
  readonly #keeper: ChildProcess;
  readonly #dialing = new Map<
    number,
    (answer: Dialed, handle: unknown) => void
  >();
  #dialer: Promise<ChildProcess> | undefined;
  #dials = 0;
  /** The end of the journal when each unit was installed. */
  readonly #cursors = new Map<string, string>();

  private constructor(keeper: ChildProcess, pid: number) {
    this.#keeper = keeper;
    this.pid = pid;
  }

  /** Boots one; the runtimes are in its `/usr/local/bin`. */
  static async boot(): Promise<Machine> {
    const keeper = spawn("unshare", [
      "--mount",
      ...["sh", SCRIPT, "keep", ROOT],
      ...programs().map(({ name, file }) => `${name}=${file}`),
      // A session of its own: the signals of a terminal are for the tests.
    ], { stdio: ["pipe", "pipe", "pipe"], detached: true });
    let printed = "";
    let errors = "";
    keeper.stdin.on("error", () => {});
    keeper.stderr.setEncoding("utf8").on("data", (text) => errors += text);
    keeper.stdout.setEncoding("utf8").on("data", (text) => printed += text);
    // Without it, a program that is done would wait for what nobody ends.
    keeper.unref();
    await eventually("systemd's process", () => {
      if (hasEnded(keeper)) {
        const { exitCode, signalCode } = keeper;
        assert.fail(`Booting: ended with ${exitCode ?? signalCode}: ${errors}`);
      }
      return printed.endsWith("\n");
    });
    const machine = new Machine(keeper, Number(printed));
    await eventually(
      "systemd to be up",
      () => machine.run("systemctl", "is-active", "tests.target"),
      ({ stdout }) => stdout === "active\n",
    );
    return machine;
  }

  /** Ends it and all that runs in it, and waits until that is done. */
  async stop(): Promise<void> {
    (await this.#dialer)?.disconnect();
    if (hasEnded(this.#keeper)) return;
    this.#keeper.ref();
    this.#keeper.stdin!.end();
    await once(this.#keeper, "close");
  }

  /** The process that cleans up when this one ends without stopping it. */
  get keeperPid(): number {
    return this.#keeper.pid!;
  }

  /** Its namespaces, for `nsenter`. */
  enter(...kinds: string[]): string[] {
    return [
      "nsenter",
      `--target=${this.pid}`,
      ...kinds.map((kind) => `--${kind}`),
    ];
  }

  /** Runs a command in it, whatever its status. */
  async run(...command: string[]): Promise<Ran> {
    const kinds = ["mount", "pid", "cgroup", "net", "ipc", "uts"];
    const [program, ...args] = [...this.enter(...kinds), ...command];
    const child = spawn(program!, args, { stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => stdout += text);
    child.stderr.setEncoding("utf8").on("data", (text) => stderr += text);
    const [status] = await once(child, "close");
    return { status, stdout, stderr };
  }

  /** Runs `systemctl`, which must succeed. */
  async systemctl(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run("systemctl", ...args);
    if (status !== 0) {
      assert.fail(`systemctl ${args.join(" ")}: ${status}: ${stderr}${stdout}`);
    }
    return stdout;
  }

  /** Returns a property of a unit, as `systemctl show` prints it. */
  async property(unit: string, name: string): Promise<string> {
    const args = [unit, `--property=${name}`, "--value"];
    return (await this.systemctl("show", ...args)).trimEnd();
  }

  /** Returns the path outside of a path in the machine. */
  file(inside: string): string {
    return `/proc/${this.pid}/root${inside}`;
  }

  /**
   * Installs units. After the test they are stopped and removed, and what they
   * wrote is shown if the test has failed.
   */
  async install(t: TestContext, units: Units): Promise<void> {
    const names = Object.keys(units);
    for (const name of names) {
      fs.writeFileSync(this.file(`/etc/systemd/system/${name}`), units[name]!);
    }
    await this.systemctl("daemon-reload");
    const { stdout } = await this.run(
      "journalctl",
      "--lines=0",
      "--show-cursor",
    );
    const cursor = /^-- cursor: (.*)$/m.exec(stdout)![1]!;
    for (const name of names) this.#cursors.set(name, cursor);
    t.after(async () => {
      const hasFailed = !(t as { passed?: boolean }).passed;
      if (hasFailed) t.diagnostic(await this.#describeThreads(names));
      const all = names.map((name) => name.replace("@.", "@*."));
      // Sockets first: they would start the services again.
      const sockets = all.filter((name) => name.endsWith(".socket"));
      if (sockets.length > 0) await this.run("systemctl", "stop", ...sockets);
      // What is being stopped isn't restarted after the signal.
      await this.run("systemctl", "stop", "--no-block", ...all);
      await this.run("systemctl", "kill", "--signal=KILL", ...all);
      await this.run("systemctl", "stop", ...all);
      await this.run("systemctl", "reset-failed", ...all);
      if (hasFailed) {
        for (const name of names) {
          t.diagnostic(`${name}:\n${await this.journal(name)}`);
        }
      }
      for (const name of names) {
        fs.rmSync(this.file(`/etc/systemd/system/${name}`));
      }
      await this.systemctl("daemon-reload");
    }, CLEANUP);
  }

  /** Tells where the threads of services are: in which call, if they wait. */
  async #describeThreads(names: readonly string[]): Promise<string> {
    const lines: string[] = [];
    for (const name of names) {
      if (!/^[^@]+\.service$/.test(name)) continue;
      const pid = await this.mainPid(name);
      if (pid === 0) continue;
      const script = 'for task in /proc/"$0"/task/*; do ' +
        'echo "$(cat "$task/comm") $(cat "$task/wchan") $(cat "$task/syscall")"; done';
      const { stdout } = await this.run("sh", "-c", script, String(pid));
      lines.push(`${name}:`, ...stdout.trimEnd().split("\n"));
    }
    return lines.join("\n");
  }

  /** Returns what a unit has written since it was installed, and systemd of it. */
  async journal(name: string): Promise<string> {
    await this.run("journalctl", "--sync");
    const args = [
      "--no-pager",
      "--output=cat",
      `--after-cursor=${this.#cursors.get(name)}`,
      `--unit=${name.replace("@.", "@*.")}`,
    ];
    return (await this.run("journalctl", ...args)).stdout;
  }

  /** The process of a service; 0 while it doesn't run. */
  async mainPid(service: string): Promise<number> {
    return Number(await this.property(service, "MainPID"));
  }

  /** Connects within it. */
  async connect(target: net.NetConnectOpts): Promise<net.Socket> {
    const place = "path" in target && target.path!.startsWith("/")
      ? { ...target, path: this.file(target.path!) }
      : target;
    return await this.#dial(place) as net.Socket;
  }

  /** Makes a UDP socket within it. */
  async datagramSocket(t: TestContext): Promise<dgram.Socket> {
    const socket = await this.#dial(undefined) as dgram.Socket;
    t.after(() => socket.close());
    return socket;
  }

  async #dial(target: net.NetConnectOpts | undefined): Promise<unknown> {
    const dialer = await (this.#dialer ??= this.#startDialer());
    const id = this.#dials++;
    return await new Promise((resolve, reject) => {
      let socket: unknown;
      this.#dialing.set(id, ({ error, isHandle }, handle) => {
        if (isHandle) return void (socket = handle);
        this.#dialing.delete(id);
        if (error === undefined) resolve(socket);
        else reject(Object.assign(new Error(error.message), error));
      });
      dialer.send({ id, ...(target && { target }) } satisfies Dial);
    });
  }

  async #startDialer(): Promise<ChildProcess> {
    const [program, ...args] = this.enter("net");
    const dialer = spawn(program!, [...args, process.execPath, DIALER], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    await once(dialer, "message");
    dialer.on("message", (answer: Dialed, handle) => {
      this.#dialing.get(answer.id)!(answer, handle);
    });
    dialer.unref();
    dialer.channel!.unref();
    return dialer;
  }

  /** Sends an HTTP request on a connection, which the answer ends. */
  async request(
    target: net.NetConnectOpts | net.Socket,
    options: http.RequestOptions = {},
    body?: string | Uint8Array,
  ): Promise<Reply> {
    const socket = target instanceof net.Socket
      ? target
      : await this.connect(target);
    // The server is to decide when the connection ends.
    const headers = { connection: "close", ...options.headers };
    const createConnection = () => socket;
    return await request(
      { agent: undefined, createConnection },
      { ...options, headers },
      body,
    );
  }

  /** Sends bytes, ends the sending side, and reads all that comes back. */
  async exchange(target: net.NetConnectOpts, data: string): Promise<string> {
    return await exchange(await this.connect(target), data);
  }
}

/** The programs that services run on, and what they are called inside. */
function programs(): { name: string; file: string }[] {
  return TOOLS.flatMap(({ label, runtime, path: file }) => {
    const exact = label.replace(" ", "-");
    const isUsual = runtime !== "node" || label === "node 24";
    return [exact, ...isUsual ? [runtime] : []].map((name) => ({ name, file }));
  });
}

/** Boots one for the tests of a file, if that is possible. */
export function useMachine(): () => Machine {
  let machine: Machine | undefined;
  if (NO_MACHINE === false) {
    before(async () => void (machine = await Machine.boot()), CLEANUP);
    after(() => machine?.stop(), CLEANUP);
  }
  return () => machine!;
}
