/**
 * Shows the library at work: starts `examples/service.ts` by socket activation
 * on Deno, Bun and each Node, and asks every socket for an answer. The activator
 * is `listenfds run` on the same runtime, or `systemd-socket-activate`.
 *
 *     deno task demo [--systemd]
 *
 * The exit status is 0 only if every answer was right.
 */

import { once } from "node:events";
import * as http from "node:http";
import * as net from "node:net";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { formatTable, quoteCell } from "./table.ts";
import { type Tool, toolchain } from "./toolchain.ts";

/** A socket to hand over. */
interface DemoSocket {
  readonly name: string;
  /** `TCP, IPv4`, `TCP, IPv6` or `Unix`. */
  readonly kind: string;
  /** `127.0.0.1:8080`, `[::1]:8080` or a path. */
  readonly address: string;
}

/** What starts a command with sockets. */
interface Activator {
  readonly title: string;
  /** What becomes of the path of a Unix socket at the end. */
  readonly path: "kept" | "removed";
  /** Makes the command line. */
  command(sockets: DemoSocket[], command: string[], tool: Tool): string[];
}

const ROOT = new URL("../", import.meta.url);
const HEADINGS = "runtime version name fd kind address answer ok".split(" ");
/** How long a service has for all its answers, and then to end. */
const DEADLINE_SECONDS = 60;
/** How often to try if others take the ports in between. */
const ATTEMPTS = 5;

/** Aborted on Ctrl-C: whoever waits stops waiting and cleans up. */
const interruption = new AbortController();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { systemd: { type: "boolean" } },
  });
  const tools = await toolchain();
  // Only now: before, Ctrl-C ends everything by itself.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      interruption.abort(new Error(`interrupted by ${signal}`));
    });
  }
  const activator = values.systemd ? systemdActivator : ownActivator;
  console.log(`Activator: ${activator.title}`);
  const ipv6 = hasIpv6();
  if (!ipv6) console.log("No IPv6 loopback here: web has its IPv4 socket only");

  const results = [];
  for (const tool of tools) {
    results.push({ tool, ...await runService(tool, activator, ipv6) });
  }
  const rows = results.flatMap(({ rows }) => rows);
  console.log(`\n${formatTable(HEADINGS, rows)}\n`);

  const failed = results.filter(({ problems }) => problems.length > 0);
  for (const { tool, problems, output } of failed) {
    for (const problem of problems) console.error(`${tool.label}: ${problem}`);
    console.error(`  Command: ${serviceCommand(tool).join(" ")}`);
    console.error(`  Output:\n${output.replace(/^/gm, "  | ")}\n`);
  }
  const labels = failed.map(({ tool }) => tool.label).join(", ");
  console.log(labels === "" ? "Every answer is right" : `Failed: ${labels}`);
  return failed.length === 0 ? 0 : 1;
}

/** Tries the service on one runtime, again if its ports were taken. */
async function runService(
  tool: Tool,
  activator: Activator,
  ipv6: boolean,
) {
  for (let attempt = 1;; attempt++) {
    const directory = await Deno.makeTempDir({ prefix: "listenfds-demo-" });
    try {
      const sockets = chooseSockets(`${directory}/admin.sock`, ipv6);
      const result = await tryService(tool, activator, sockets);
      // The ports were free a moment ago, but nothing reserves them.
      const taken = /address already in use|EADDRINUSE/i.test(result.output);
      if (result.problems.length === 0 || !taken || attempt === ATTEMPTS) {
        return result;
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  }
}

/** Starts the service, asks every socket, ends it; tells what was right. */
async function tryService(
  tool: Tool,
  activator: Activator,
  sockets: DemoSocket[],
) {
  const rows: string[][] = [];
  const problems: string[] = [];
  const add = (cells: string[], expected: string, found: string) => {
    const right = found === expected;
    const shown = right ? found.trimEnd() : quoteCell(found);
    const { runtime, version } = tool;
    rows.push([runtime, version, ...cells, shown, right ? "yes" : "NO"]);
    if (right) return;
    const [a, b] = [expected, found].map((text) => JSON.stringify(text));
    problems.push(`${cells.join(" ").trim()}: expected ${a}, found ${b}`);
  };
  const service = start(
    activator.command(sockets, serviceCommand(tool), tool),
  );
  try {
    const signal = AbortSignal.any([service.exited, deadline()]);
    for (const [index, { name, kind, address }] of sockets.entries()) {
      const token = `${crypto.randomUUID()}\n`;
      const [expected, request] = name === "echo"
        ? [token, () => echo(address, token)]
        : [`hello from ${tool.runtime} on ${name}\n`, () => get(address)];
      const found = await ask(request, signal)
        .catch((error: Error) => `no answer: ${error.message}`);
      interruption.signal.throwIfAborted();
      add([name, String(3 + index), kind, address], expected, found);
    }
    const status = await service.terminate();
    const { address } = sockets.find(({ kind }) => kind === "Unix")!;
    const path = await Deno.lstat(address).then(() => "kept", () => "removed");
    const found = `${status}, path ${path}`;
    const expected = `exit status 0, path ${activator.path}`;
    add(["", "", "SIGTERM", ""], expected, found);
    return { rows, problems, output: service.output() };
  } finally {
    await service.kill();
  }
}

/** Starts an activator, which becomes the service or starts it. */
function start([program, ...args]: string[]) {
  const child = new Deno.Command(program!, {
    args,
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // A process group of its own: an activator that has to be killed can't end
    // its service any more.
    detached: true,
  }).spawn();
  const exit = new AbortController();
  const ended = child.status.then(({ code, signal }) => {
    const status = signal ?? `exit status ${code}`;
    exit.abort(new Error(`the service ended early, ${status}`));
    return status;
  });
  let output = "";
  const written = [child.stdout, child.stderr].map(async (stream) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      output += part;
    }
  });
  const send = (pid: number, signal: Deno.Signal) => {
    // Not once it has ended: the number could be another's by then.
    if (exit.signal.aborted) return;
    try {
      Deno.kill(pid, signal);
    } catch { /* It ended just now. */ }
  };
  return {
    exited: exit.signal,
    output: () => output.trimEnd() || "(none)",
    /** Ends the service as a service manager does, and tells how it ended. */
    async terminate(): Promise<string> {
      const early = exit.signal.aborted ? " before the signal" : "";
      send(child.pid, "SIGTERM");
      const all = Promise.all([ended, ...written]);
      return await Promise.race([all, aborted(deadline())])
        .then(([status]) => status + early, (error) => error.message);
    },
    /** Ends what is left if something went wrong. */
    async kill(): Promise<void> {
      // The second of them lets an activator kill its service.
      send(child.pid, "SIGTERM");
      send(child.pid, "SIGINT");
      const timer = setTimeout(() => send(-child.pid, "SIGKILL"), 2000);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Asks for an answer, as soon as the socket is bound. */
async function ask(
  request: () => Promise<string>,
  signal: AbortSignal,
): Promise<string> {
  for (;;) {
    try {
      return await Promise.race([request(), aborted(signal)]);
    } catch (error) {
      signal.throwIfAborted();
      // The activator binds a moment after it is started. From then on the
      // kernel queues what connects, so nothing else is ever tried again.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ECONNREFUSED" && code !== "ENOENT") throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** The body of the answer to GET /; after the status if that is not 200. */
async function get(address: string): Promise<string> {
  const request = address.startsWith("/")
    ? http.get({ socketPath: address, agent: false })
    : http.get(`http://${address}/`, { agent: false });
  // Told by what is awaited here; a second report would end the program.
  request.on("error", () => {});
  const [response] = await once(request, "response");
  const body = await text(response);
  const { statusCode } = response;
  return statusCode === 200 ? body : `HTTP ${statusCode}: ${body}`;
}

/** All that comes back for a line until the connection ends. */
async function echo(address: string, line: string): Promise<string> {
  const { hostname, port } = new URL(`http://${address}`);
  return await text(net.connect(Number(port), hostname).end(line));
}

/** Aborted when the time is over, or on Ctrl-C. */
function deadline(): AbortSignal {
  const timeout = AbortSignal.timeout(DEADLINE_SECONDS * 1000);
  return AbortSignal.any([timeout, interruption.signal]);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
  });
}

/** The command that a unit would start. */
function serviceCommand({ runtime, path }: Tool): string[] {
  const variables = "LISTEN_PID,LISTEN_PIDFDID,LISTEN_FDS,LISTEN_FDNAMES";
  const deno = ["run", "--no-prompt", `--allow-env=${variables}`];
  return [path, ...runtime === "deno" ? deno : [], "examples/service.ts"];
}

const systemdActivator: Activator = {
  title: "systemd-socket-activate",
  path: "kept",
  command(sockets, command) {
    const addresses = sockets.flatMap(({ address }) => ["-l", address]);
    const names = sockets.map(({ name }) => name).join(":");
    const binding = [...addresses, `--fdname=${names}`];
    return ["systemd-socket-activate", ...binding, "--", ...command];
  },
};

/** As its users start it, on the runtime that the service runs on. */
const ownActivator: Activator = {
  title: "listenfds run",
  path: "removed",
  command(sockets, command, { runtime, path }) {
    const program = [path, ...runtime === "deno" ? ["run", "-A"] : []];
    const binding = sockets.map(({ name, kind, address }) =>
      `--socket=${name}=${kind === "Unix" ? "unix:" : ""}${address}`
    );
    return [...program, "src/cli/bin.ts", "run", ...binding, "--", ...command];
  },
};

/** Both sockets of `web` have one port. */
function chooseSockets(path: string, ipv6: boolean): DemoSocket[] {
  // Held until all are found, so that no port is found twice.
  using echo = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using web = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [webPort, echoPort] = [web.addr.port, echo.addr.port];
  return [
    { name: "web", kind: "TCP, IPv4", address: `127.0.0.1:${webPort}` },
    { name: "web", kind: "TCP, IPv6", address: `[::1]:${webPort}` },
    { name: "admin", kind: "Unix", address: path },
    { name: "echo", kind: "TCP, IPv4", address: `127.0.0.1:${echoPort}` },
  ].filter(({ kind }) => ipv6 || kind !== "TCP, IPv6");
}

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

// Ends at once: the deadlines' timers would keep the process running.
Deno.exit(
  await main().catch((error: Error) => {
    console.error(`demo: ${error.message}`);
    return 1;
  }),
);
