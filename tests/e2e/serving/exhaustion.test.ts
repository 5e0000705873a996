/** Services that more clients connect to than they have descriptors for. */

import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import tls from "node:tls";
import type { Way, WaysOperations } from "../../fixtures/operations.ts";
import {
  activateAgent,
  Agent,
  CROWD,
  WAYS_AGENT,
} from "../../harness/agent.ts";
import {
  forEachHost,
  type Host,
  HOSTS,
  hostsWith,
} from "../../harness/hosts.ts";
import {
  type Certificate,
  createCertificate,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import { undisturbedMs, usedMs } from "../../harness/processor_time.ts";
import { spawnPiped } from "../../harness/program.ts";
import {
  assertListensOnly,
  freePorts,
  listeningInodes,
  untilListensOnly,
} from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const LIMIT = 256;
const CLIENTS = 1000;
/** The time that the clients stay, in which the service has nothing to do. */
const STAY_MS = 1000;
/** The part of a core that the service may use meanwhile. */
const MAX_CPU = 0.3;
/** The time after which every socket is to answer again. */
const RECOVERY_MS = 1000;
const ROUNDS = 3;
/** A client that waits longer connects again. */
const ANSWER_MS = 5000;
/**
 * A client whose connection takes longer connects again, too: the kernel drops the
 * first packet while the backlog is full, and TCP sends the next after a second.
 */
const CONNECT_MS = 250;

const OWN: readonly Way[] = [
  "own serve",
  "own serve with TLS",
  "own listen",
  "own listen with TLS",
];
const PORTABLE: readonly Way[] = [
  "serve on node",
  "listen on node",
  "node:net",
  "node:http",
  "node:http2",
];

/** The ways that a host has. */
function waysOf({ adopts, isPortable, runtime }: Host): Way[] {
  return [
    "serve",
    "listen",
    ...(adopts ? OWN : []),
    ...(isPortable ? PORTABLE : []),
    // Bun's takes neither a descriptor nor connections.
    ...(isPortable && runtime !== "bun" ? ["node:https" as const] : []),
  ];
}

/** The same host with few descriptors. */
function limited(host: Host): Host {
  const script = `ulimit -n ${LIMIT}; exec "$@"`;
  return {
    ...host,
    command: (
      ...args
    ) => ["/bin/sh", "-c", script, "sh", ...host.command(...args)],
  };
}

/** A socket of the service, and how clients use it. */
interface Place {
  readonly way: Way;
  readonly target:
    | { readonly port: number; readonly host: string }
    | { readonly path: string };
}

/** A service that listens in several ways, and a crowd of clients. */
class Exhaustion {
  readonly agent: Agent<WaysOperations>;
  readonly crowd: ReturnType<typeof startCrowd>;
  readonly places: readonly Place[];

  constructor(
    t: TestContext,
    agent: Agent<WaysOperations>,
    places: readonly Place[],
  ) {
    this.agent = agent;
    this.places = places;
    this.crowd = startCrowd(t);
  }

  get openCount(): number {
    return fs.readdirSync(`/proc/${this.agent.pid}/fd`).length;
  }

  /** Lets clients connect until the service has no descriptor left. */
  async exhaust(): Promise<void> {
    const targets = this.places.map(({ target }) => target);
    await this.crowd.call("join", targets, CLIENTS);
    // A server of Deno's ends then, and another one takes its place.
    const isExhausted = () => this.openCount >= LIMIT - 2;
    await this.agent.until("exhaustion", isExhausted);
  }

  /** Checks that the service is at rest while it is exhausted. */
  async staysAtRest(): Promise<void> {
    const before = usedMs(this.agent.pid);
    await this.agent.staysFor(STAY_MS);
    const share = (usedMs(this.agent.pid) - before) / STAY_MS;
    assert.ok(share < MAX_CPU, `uses ${share.toFixed(2)} of a core`);
  }

  /** Returns how long it takes all sockets to answer after the clients leave. */
  async recoveryMs(): Promise<number> {
    const { agent, crowd, places } = this;
    return await undisturbedMs([agent.pid, crowd.pid], async () => {
      await crowd.call("leave");
      await Promise.all(
        places.map(({ way, target }) =>
          agent.until(`${way} to answer`, () => isAnswered(way, target))
        ),
      );
    });
  }

  /**
   * Checks that all sockets answer soon after the clients have left: always, but
   * on a machine under load in one of several rounds only within the time.
   */
  async recovers(): Promise<void> {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      if (round > 0) await this.exhaust();
      times.push(await this.recoveryMs());
      if (times.at(-1)! <= RECOVERY_MS) return;
    }
    assert.fail(`answers again only after ${times.map(Math.round)} ms`);
  }
}

function startCrowd(t: TestContext) {
  return new Agent<NonNullable<typeof CROWD.operations>>(
    t,
    spawnPiped([process.execPath, CROWD]),
  );
}

const isTls = (way: Way) => way.endsWith("TLS") || /https|http2/.test(way);

/** Whether a new client gets an answer. */
async function isAnswered(
  way: Way,
  target: Place["target"],
): Promise<boolean> {
  const socket = isTls(way)
    ? tls.connect({ ...target, rejectUnauthorized: false })
    : net.connect(target);
  const signal = AbortSignal.timeout(ANSWER_MS);
  const limit = setTimeout(() => {
    if (socket.connecting) socket.destroy(new Error("not connected in time"));
  }, CONNECT_MS);
  socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  try {
    const [data] = await once(socket, "data", { signal });
    // What an echo returns, or the response.
    return /HTTP\/1\.1/.test(String(data));
  } catch {
    return false;
  } finally {
    clearTimeout(limit);
    socket.on("error", () => {});
    socket.destroy();
  }
}

/** @param directory Where to bind Unix sockets; by default, they are of TCP. */
async function start(
  t: TestContext,
  host: Host,
  ways: readonly Way[],
  directory?: string,
) {
  const pathOf = (index: number) => path.join(directory!, `${index}.sock`);
  const certificate = createCertificate(temporaryDirectory(t));
  const usable = certificate === undefined
    ? ways.filter((way) => !isTls(way))
    : ways;
  const { agent, sockets } = await activateAgent<WaysOperations>(
    t,
    limited(host),
    usable.map((_, index) =>
      directory === undefined
        ? `web${index}=tcp:127.0.0.1:0`
        : `web${index}=unix:${pathOf(index)}`
    ),
    {},
    WAYS_AGENT,
  );
  await agent.call(
    "start",
    usable.map((way, index) => [`web${index}`, way] as const),
    certificate ?? {} as Certificate,
  );
  const places = sockets.map(({ port }, index): Place => ({
    way: usable[index]!,
    target: port === undefined
      ? { path: pathOf(index) }
      : { port, host: "127.0.0.1" },
  }));
  for (const { way, target } of places) {
    await agent.until(`${way} to answer`, () => isAnswered(way, target));
  }
  return { sockets, exhaustion: new Exhaustion(t, agent, places) };
}

/** Starts a service without an activation, which binds addresses itself. */
async function startAtFallbacks(
  t: TestContext,
  host: Host,
  ways: readonly Way[],
  directory?: string,
) {
  const certificate = createCertificate(temporaryDirectory(t));
  const usable = certificate === undefined
    ? ways.filter((way) => !isTls(way))
    : ways;
  const agent = new Agent<WaysOperations>(
    t,
    spawnPiped(limited(host).command(WAYS_AGENT)),
  );
  const ports = await freePorts(usable.length);
  const places = usable.map((way, index): Place => ({
    way,
    target: directory === undefined
      ? { port: ports[index]!, host: "127.0.0.1" }
      : { path: path.join(directory, `${index}.sock`) },
  }));
  await agent.call(
    "start",
    places.map(({ way, target }, index) =>
      [
        `web${index}`,
        way,
        "path" in target
          ? target
          : { port: target.port, hostname: target.host },
      ] as const
    ),
    certificate ?? {} as Certificate,
  );
  return new Exhaustion(t, agent, places);
}

const SERVING = HOSTS.filter(({ serves }) => serves);

forEachHost(hostsWith({ hasOwnServers: true }), (host) => {
  /** @param directory Where to bind Unix sockets; by default, they are of TCP. */
  const survive = async (
    t: TestContext,
    ways: readonly Way[],
    directory?: string,
  ) => {
    const exhaustion = await startAtFallbacks(t, host, ways, directory);
    const { agent } = exhaustion;
    const before = listeningInodes(agent.pid);
    await exhaustion.exhaust();
    await exhaustion.staysAtRest();
    await exhaustion.recovers();
    assert.deepEqual(listeningInodes(agent.pid), before);
    await agent.call("end");
    await untilListensOnly(agent, []);
    assert.equal(await agent.endInput(), 0);
  };

  test(`all ways to listen on fallback addresses on ${host.label} answer again after descriptors were exhausted`, async (t) => {
    await survive(t, waysOf(host));
  });

  test(`all ways to listen on fallback paths on ${host.label} answer again after descriptors were exhausted`, async (t) => {
    const ways = waysOf(host).filter((way) =>
      // Deno has no TLS on Unix sockets, and its own servers remove their path.
      host.runtime !== "deno" || !/TLS|^(own )?serve/.test(way)
    );
    await survive(t, ways, temporaryDirectory(t));
  });
});

forEachHost(SERVING, (host) => {
  test(`all ways to listen on ${host.label} answer again after descriptors were exhausted`, async (t) => {
    const { sockets, exhaustion } = await start(t, host, waysOf(host));
    const { agent } = exhaustion;
    await exhaustion.exhaust();
    await exhaustion.staysAtRest();
    await exhaustion.recovers();
    assertListensOnly(agent, sockets);
    await agent.call("end");
    await untilListensOnly(agent, []);
    assert.equal(await agent.endInput(), 0);
  });

  test(`Unix sockets on ${host.label} answer again after descriptors were exhausted`, async (t) => {
    const { sockets, exhaustion } = await start(
      t,
      host,
      // Deno has no TLS on Unix sockets.
      waysOf(host).filter((way) => !way.endsWith("TLS")),
      temporaryDirectory(t),
    );
    await exhaustion.exhaust();
    await exhaustion.staysAtRest();
    await exhaustion.recovers();
    await untilListensOnly(exhaustion.agent, sockets);
    await exhaustion.agent.call("end");
    await untilListensOnly(exhaustion.agent, []);
  });

  test(`serve on ${host.label} leaks no descriptor when they are exhausted, and ends gracefully`, async (t) => {
    const { sockets, exhaustion } = await start(t, host, ["serve"]);
    const { agent } = exhaustion;
    const counts: number[] = [];
    for (let round = 0; round < 2; round++) {
      await exhaustion.exhaust();
      await exhaustion.recovers();
      // Some connections of clients that have left may still be open.
      let last = exhaustion.openCount;
      await agent.until("a number of descriptors that stays", async () => {
        await agent.staysFor(200);
        const before = last;
        last = exhaustion.openCount;
        return last === before;
      });
      counts.push(last);
    }
    assert.ok(counts[1]! <= counts[0]!, `descriptors grow: ${counts}`);
    assertListensOnly(agent, sockets);
    await exhaustion.exhaust();
    assert.equal(await agent.terminate(), 0);
  });

  test(`all ways to listen on ${host.label} end while descriptors are exhausted`, async (t) => {
    const { exhaustion } = await start(t, host, waysOf(host));
    const { agent, crowd } = exhaustion;
    await exhaustion.exhaust();
    await agent.call("end");
    await untilListensOnly(agent, []);
    await crowd.call("leave");
    assert.equal(await agent.endInput(), 0);
  });
});
