/** Servers that are started and closed many times leave nothing behind. */

import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import { once } from "node:events";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import type { Cycle, CyclesOperations } from "../../fixtures/operations.ts";
import { Agent, CYCLES_AGENT, startAgent } from "../../harness/agent.ts";
import { forEachHost, type Host, HOSTS } from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { spawnPiped } from "../../harness/program.ts";
import { bindSockets } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

/** The number of cycles of each kind, in `deno task test:long`; else none. */
const CYCLES = Number(process.env["LISTENFDS_CYCLES"] ?? 0);
/** Cycles before the first measurement: code is compiled, caches are filled. */
const WARM_UP = 200;
/** What the runtime's own caches may grow by; a server takes some kilobytes. */
const MAX_GROWTH_BYTES = 600_000 + 50 * CYCLES;
/** Descriptors that a runtime may open for itself meanwhile. */
const RUNTIME_FDS = 4;

/** The cycles of a host. */
function cyclesOf({ adopts, isPortable }: Host): Cycle[] {
  return [
    "serve",
    "listen",
    ...(adopts ? ["own serve", "own listen"] as const : []),
    ...(isPortable
      ? ["serve on node", "listen on node", "node:http"] as const
      : []),
  ];
}

/** The same host, in which the garbage can be collected. */
function collecting(host: Host): Host {
  return {
    ...host,
    command(script, ...args) {
      const [program, ...rest] = host.command(script, ...args);
      return [
        program!,
        ...(host.runtime === "deno" ? [rest.shift()!] : []),
        ...{
          deno: ["--v8-flags=--expose-gc"],
          node: ["--expose-gc"],
          bun: [],
        }[host.runtime],
        ...rest,
      ];
    },
  };
}

type CyclesAgent = Agent<CyclesOperations>;

/** What a process has open. */
interface OpenFiles {
  readonly count: number;
  readonly epollEntries: number;
}

function openFiles({ pid }: CyclesAgent): OpenFiles {
  const fds = fs.readdirSync(`/proc/${pid}/fd`);
  let epollEntries = 0;
  for (const fd of fds) {
    try {
      const info = fs.readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8");
      epollEntries += info.match(/^tfd:/gm)?.length ?? 0;
    } catch {
      // Closed since.
    }
  }
  return { count: fds.length, epollEntries };
}

function placeholders(): number {
  return ["/tmp", "/dev/shm"].flatMap((directory) =>
    fs.readdirSync(directory).filter((name) => /^listenfds-adopt-/.test(name))
  ).length;
}

/** Runs cycles after a warm-up, and checks that nothing is left of them. */
async function leavesNothing(
  t: TestContext,
  agent: CyclesAgent,
  run: (from: number, count: number) => Promise<void>,
  /** The descriptors that each cycle uses up. */
  usedFds: number,
  label: string,
): Promise<void> {
  await run(0, WARM_UP);
  // What is closed may be closed in a later turn of the event loop.
  await agent.staysFor(300);
  const before = await agent.call("state");
  const opened = openFiles(agent);
  const directories = placeholders();
  await run(WARM_UP, CYCLES);
  const expected: OpenFiles = {
    ...opened,
    count: opened.count - usedFds * CYCLES,
  };
  await agent.until(
    `${label} to leave ${JSON.stringify(expected)}`,
    () => openFiles(agent),
    ({ count, epollEntries }) =>
      count <= expected.count + RUNTIME_FDS &&
      epollEntries <= expected.epollEntries + RUNTIME_FDS,
  );
  await agent.until("no placeholder", () => placeholders() <= directories);
  const { heapBytes, signalListeners } = await agent.until(
    `${label} to leave a heap of ${before.heapBytes}`,
    () => agent.call("state"),
    (after) => after.heapBytes - before.heapBytes < MAX_GROWTH_BYTES,
  );
  assert.equal(signalListeners, before.signalListeners, label);
  t.diagnostic(`${label}: ${heapBytes - before.heapBytes} bytes`);
}

/**
 * Starts an agent with what its cycles need of a socket: where the C library can
 * be called, a copy of which is passed again in each cycle. Elsewhere, many
 * copies are passed at once, as `c0`, `c1` and so on.
 */
async function startWithCopies(t: TestContext, host: Host, spec: string) {
  const { adopts } = host;
  const agent = await bindSockets([spec], ([socket]) =>
    startAgent(
      t,
      collecting(host),
      Array.from(
        { length: adopts ? 1 : WARM_UP + CYCLES },
        (_, index) => ({ ...socket!, name: `c${index}` }),
      ),
      {},
      CYCLES_AGENT,
    ));
  if (adopts) await agent.call("keepDescriptor");
  const run = (cycle: Cycle) => (from: number, count: number) =>
    agent.call(
      "run",
      cycle,
      Array.from(
        { length: count },
        (_, index) => adopts ? "web" : `c${from + index}`,
      ),
    );
  return { agent, usedFds: adopts ? 0 : 1, run };
}

const SERVING = HOSTS.filter(({ serves }) => serves);

forEachHost(CYCLES > 0 ? SERVING : [], (host) => {
  for (const cycle of cyclesOf(host)) {
    test(`${cycle} and close on ${host.label} leave nothing of inherited sockets`, async (t) => {
      const { agent, usedFds, run } = await startWithCopies(
        t,
        host,
        "x=tcp:127.0.0.1:0",
      );
      await leavesNothing(t, agent, run(cycle), usedFds, cycle);
      assert.equal(await agent.endInput(), 0);
    });
  }

  for (const cycle of ["serve", "listen"] as const) {
    test(`${cycle} and close on ${host.label} leave nothing of Unix sockets`, async (t) => {
      const { agent, usedFds, run } = await startWithCopies(
        t,
        host,
        `x=unix:${path.join(temporaryDirectory(t), "x.sock")}`,
      );
      await leavesNothing(t, agent, run(cycle), usedFds, cycle);
    });
  }

  test(`serve and listen on ${host.label} leave nothing of fallback addresses`, async (t) => {
    const command = fallbackCommand(host);
    const agent: CyclesAgent = new Agent(t, spawnPiped(command));
    const fallback = { port: 0, hostname: "127.0.0.1" };
    for (const cycle of cyclesOf(host)) {
      await leavesNothing(
        t,
        agent,
        (_, count) =>
          agent.call("run", cycle, Array(count).fill("web"), fallback),
        0,
        cycle,
      );
    }
  });

  test(`a refused serve on ${host.label} leaves nothing`, async (t) => {
    const { agent, inUse } = await startRefusing(t, host);
    const ways = cyclesOf(host).filter((cycle) => !/listen/.test(cycle));
    for (const cycle of ways) {
      for (
        const [target, code, options] of [
          ["udp", "wrong-kind", {}],
          ["none", "missing-name", {}],
          [`tcp:127.0.0.1:${inUse}`, "bind-while-activated", {}],
          ["web", "TypeError", { gracefulShutdown: 1 }],
        ] as const
      ) {
        await leavesNothing(
          t,
          agent,
          (_, count) =>
            agent.call("refuse", cycle, count, target, code, options),
          0,
          `${cycle}: ${code}`,
        );
      }
    }
    // All is still there to be claimed.
    await agent.call("run", "serve", ["web"]);
  });

  test(`a serve that can't bind on ${host.label} leaves nothing`, async (t) => {
    const occupied = await occupy(t);
    const agent: CyclesAgent = new Agent(t, spawnPiped(fallbackCommand(host)));
    for (const cycle of cyclesOf(host)) {
      const fallback = { port: occupied, hostname: "127.0.0.1" };
      await leavesNothing(
        t,
        agent,
        (_, count) =>
          agent.call("refuse", cycle, count, "web", "system", { fallback }),
        0,
        `${cycle}: system`,
      );
    }
  });
});

/** Deno needs a permission to bind. */
function fallbackCommand(host: Host): string[] {
  const command = collecting(host).command(CYCLES_AGENT);
  if (host.runtime === "deno" && !host.adopts) {
    command.splice(2, 0, "--allow-net");
  }
  return command;
}

/** Starts an agent with the sockets `web` and `udp`. */
async function startRefusing(t: TestContext, host: Host) {
  const inUse = await occupy(t);
  const agent = await bindSockets(
    ["web=tcp:127.0.0.1:0", "udp=udp:127.0.0.1:0"],
    (sockets) => startAgent(t, collecting(host), sockets, {}, CYCLES_AGENT),
  );
  return { agent, inUse };
}

async function occupy(t: TestContext): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  return (server.address() as net.AddressInfo).port;
}
