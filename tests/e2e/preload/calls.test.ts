/** Calls of programs that know nothing of the library, under the preload. */

import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import type { TestContext } from "node:test";
import { activateAgent, PRELOAD_AGENT } from "../../harness/agent.ts";
import { getBody } from "../../harness/client.ts";
import { forEachHost, hostsWith, withPreload } from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { startActivated } from "../../harness/program.ts";
import {
  assertListensOnly,
  bindSockets,
  freePorts,
  untilListensOnly,
} from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

/** Without Deno before 2.8, whose node:net takes no descriptors. */
const PRELOADED = hostsWith({ hasOwnServers: true })
  .filter(({ runtime, isPortable }) => runtime !== "deno" || isPortable)
  .map(withPreload);
const WEB = "web=tcp:127.0.0.1:0";
const ADMIN = "admin=tcp:127.0.0.1:0";

forEachHost(PRELOADED, (host) => {
  const { runtime } = host;
  const start = async (
    t: TestContext,
    specs: readonly string[],
    env: Record<string, string>,
  ) => {
    const { agent, sockets } = await activateAgent(
      t,
      host,
      specs,
      env,
      PRELOAD_AGENT,
    );
    return { agent, sockets, ports: sockets.map(({ port }) => port!) };
  };

  for (const operation of ["listenHttp", "listenNet"] as const) {
    test(`${operation} on ${host.label} listens on the mapped socket`, async (t) => {
      const { agent, sockets, ports: [port] } = await start(t, [WEB], {
        LISTENFDS_MAP: "web=3000",
      });
      const listening = await agent.call(operation, "app", [3000]);
      const { address, early, events } = listening;
      assert.equal((address as { port: number }).port, port);
      // Bun before 1.4 listens a moment later, as it does on a port.
      const own = await agent.call(operation, "own", [0]);
      const { listening: isListening } = own.early;
      assert.deepEqual(early, { listening: isListening, address });
      assert.deepEqual(events, ["listening", "callback"]);
      assert.equal(await getBody(port!, "/"), "app");
      await agent.call("close", own.id);
      await untilListensOnly(agent, sockets);
      // Nothing but the map gives a socket.
      const other = await agent.fail(operation, "app", [3001]);
      assert.equal(other.code, "unmapped");
      assert.match(
        other.message,
        /^(listen|Bun\.(serve|listen))\(.*3001.*\): no socket handed over has this port \("web" is 127\.0\.0\.1:\d+\): set LISTENFDS_MAP=web=3001$/,
      );
      const again = await agent.fail(operation, "app", [3000]);
      assert.equal(again.code, "EADDRINUSE");
      // Bun's node:net makes a message of its own.
      assert.match(again.message, /the socket "web" is in use since |EADDRIN/);
    });
  }

  test(`all forms of listen() on ${host.label} are understood`, async (t) => {
    const directory = temporaryDirectory(t);
    const sock = path.join(directory, "x.sock");
    const { agent, ports: [port] } = await start(
      t,
      [WEB, `path=unix:${sock}`],
      { LISTENFDS_MAP: "web=3000" },
    );
    const forms: unknown[][] = [
      [3000],
      ["3000"],
      [3000, "0.0.0.0"],
      [3000, "0.0.0.0", 511],
      [3000, 511],
      [{ port: 3000 }],
      [{ port: "3000", host: "::", exclusive: true, backlog: 5 }],
      // JSON has no undefined: the agent takes null for it.
      [{ port: 3000, fd: null, handle: null }],
    ];
    // Node 22 and 24 can't listen again after close().
    const isOnce = /^node 2[24]/.test(host.label);
    for (const form of forms) {
      const one = isOnce && form !== forms[0]
        ? await start(t, [WEB], { LISTENFDS_MAP: "web=3000" })
        : { agent, ports: [port] };
      const { id } = await one.agent.call("listenHttp", "app", form);
      assert.equal(
        await getBody(one.ports[0]!, "/"),
        "app",
        JSON.stringify(form),
      );
      if (!isOnce) assert.equal(await agent.call("close", id), "");
    }
    const { address } = await agent.call("listenHttp", "path", [{
      path: sock,
    }]);
    if (runtime === "bun") assert.equal(address, sock);
    // No fixed address: bound as always.
    const own = await agent.call("listenHttp", "own", [0]);
    const { port: ownPort } = own.address as { port: number };
    assert.equal(await getBody(ownPort, "/"), "own");
  });

  test(`a program on ${host.label} gets the right socket of two, in either order`, async (t) => {
    for (const order of [["web", "admin"], ["admin", "web"]]) {
      const { agent, ports: [web, admin] } = await start(t, [WEB, ADMIN], {
        LISTENFDS_MAP: "admin=9090,web=3000",
      });
      const asked: Record<string, number> = { web: 3000, admin: 9090 };
      for (const name of order) {
        await agent.call("listenHttp", name, [asked[name]]);
      }
      assert.equal(await getBody(web!, "/"), "web");
      assert.equal(await getBody(admin!, "/"), "admin");
    }
  });

  test(`a socket on ${host.label} is found by its own address`, async (t) => {
    const { agent, ports: [web, admin] } = await start(t, [WEB, ADMIN], {});
    await agent.call("listenHttp", "admin", [admin, "localhost"]);
    const { message } = await agent.fail("listenHttp", "web", [3000]);
    assert.match(message, /set LISTENFDS_MAP=NAME=3000, with the name/);
    await agent.call("listenHttp", "web", [{ port: web, host: "127.0.0.1" }]);
    assert.equal(await getBody(web!, "/"), "web");
    assert.equal(await getBody(admin!, "/"), "admin");
  });

  test(`a probe of a port on ${host.label} leaves the socket untouched`, async (t) => {
    const { agent, sockets, ports: [port] } = await start(t, [WEB], {
      LISTENFDS_MAP: "web=3000",
    });
    const address = await agent.call("probe", [3000]);
    if (runtime !== "bun") {
      assert.equal((address as { port: number }).port, port);
    }
    await agent.call("lateNet", "late", [3000]);
    assert.equal(await getBody(port!, "/"), "late");
    assertListensOnly(agent, sockets);
  });

  test(`a second call by an asterisk on ${host.label} ends the process`, async (t) => {
    const { agent, ports: [port] } = await start(t, [WEB], {
      LISTENFDS_MAP: "web=*",
    });
    await agent.call("listenHttp", "app", [3000]);
    assert.equal(await getBody(port!, "/"), "app");
    const failed = agent.call("listenHttp", "app", [4000]);
    failed.catch(() => {});
    assert.equal(await agent.exited, 1, agent.output);
    assert.match(
      agent.stderr,
      /write the address that is meant in place of "\*"/,
    );
  });

  test(`a call for the port of a socket taken by an asterisk on ${host.label} fails`, async (t) => {
    const { agent, ports: [port] } = await start(t, [WEB], {
      LISTENFDS_MAP: "web=*",
    });
    await agent.call("listenHttp", "app", [3000]);
    // As Fastify does, for each address of localhost.
    for (const host of ["127.0.0.1", "::1"]) {
      const { code } = await agent.fail("listenHttp", "app", [{ port, host }]);
      assert.equal(code, "EADDRINUSE");
    }
    assert.equal(await getBody(port!, "/"), "app");
  });

  test(`a call without a rule on ${host.label} binds if that is set`, async (t) => {
    const { agent, sockets } = await start(t, [WEB], {
      LISTENFDS_UNMATCHED: "bind",
      LISTENFDS_DEBUG: "1",
    });
    const { address } = await agent.call("listenHttp", "app", [
      { port: 18_734, host: "127.0.0.1" },
    ]);
    assert.equal((address as { port: number }).port, 18_734);
    assert.notEqual(sockets[0]!.port, 18_734);
    assert.match(agent.stderr, /^listenfds: .*18734.* binds its address$/m);
  });

  for (const way of ["on", "once", "prependListener", "deno"] as const) {
    if (way === "deno" && runtime !== "deno") continue;
    test(`a listener for SIGTERM (${way}) on ${host.label} is called after the drain`, async (t) => {
      const { agent, ports: [port] } = await start(t, [WEB], {
        LISTENFDS_MAP: "web=3000",
      });
      assert.equal(await agent.call("onSignal", "SIGTERM", way), 1);
      await agent.call("listenHttp", "app", [3000]);
      const body = getBody(port!, "/slow");
      await agent.until("it", () => agent.stderr.includes("slow begun"));
      agent.process.kill("SIGTERM");
      assert.equal(await body, "app");
      assert.equal(await agent.exited, 7, agent.output);
      assert.match(agent.stderr, /own SIGTERM/);
    });
  }

  test(`a server on ${host.label} that begins after the signal drains, too`, async (t) => {
    const { agent } = await start(t, [WEB], { LISTENFDS_MAP: "web=3000" });
    // The program has begun.
    await agent.call("probe", [0]);
    agent.process.kill("SIGTERM");
    // An earlier call would be drained by the signal itself.
    await agent.staysFor(200);
    await agent.call("listenHttp", "app", [3000]);
    const begin = performance.now();
    assert.equal(await agent.endInput(), 0, agent.output);
    // The process is ended after 5 seconds, with all that the server does then.
    assert.ok(performance.now() - begin < 4000);
  });

  test(`a raw connection on ${host.label} is answered before the program ends`, async (t) => {
    const { agent, ports: [port] } = await start(t, [WEB], {
      LISTENFDS_MAP: "web=3000",
    });
    await agent.call("onSignal", "SIGTERM", "on");
    await agent.call("listenNet", "app", [3000]);
    const body = getBody(port!, "/slow");
    await agent.until("it", () => agent.stderr.includes("slow begun"));
    agent.process.kill("SIGTERM");
    assert.equal(await body, "app");
    assert.equal(await agent.exited, 7, agent.output);
  });

  test(`process.removeAllListeners() on ${host.label} leaves the drain`, async (t) => {
    const { agent, ports: [port] } = await start(t, [WEB], {
      LISTENFDS_MAP: "web=3000",
    });
    await agent.call("listenHttp", "app", [3000]);
    await agent.call("removeAllListeners");
    const body = getBody(port!, "/slow");
    await agent.until("it", () => agent.stderr.includes("slow begun"));
    agent.process.kill("SIGTERM");
    assert.equal(await body, "app");
  });

  test(`a wrong setting on ${host.label} is an error at the start`, async (t) => {
    const wrong = {
      LISTENFDS_MAP: ["3000", /^.*Reading LISTENFDS_MAP: expected entries/m],
      LISTENFDS_UNMATCHED: ["yes", /Reading LISTENFDS_UNMATCHED: expected "e/],
      LISTENFDS_IDLE_TIMEOUT: ["soon", /Reading LISTENFDS_IDLE_TIMEOUT: exp/],
    } as const;
    for (const [name, [value, message]] of Object.entries(wrong)) {
      const { agent } = await start(t, [WEB], { [name]: value });
      assert.equal(await agent.exited, 1, agent.output);
      assert.match(agent.stderr, message);
    }
  });

  test(`a launcher on ${host.label} is told what to start instead`, async (t) => {
    const script = path.join(temporaryDirectory(t), "npm-cli.js");
    fs.writeFileSync(script, "setTimeout(() => {}, 60_000);");
    const command = host.command(script, "start");
    const program = await bindSockets(
      [WEB],
      (sockets) => startActivated(t, command, sockets),
    );
    assert.equal(await program.exited, 1, program.output);
    assert.match(
      program.stderr,
      /Loading the preload: "npm.*" starts another process, .*start the runtime itself, with the script's path/,
    );
  });

  test(`a program on ${host.label} that a shell starts says why it has no sockets`, async (t) => {
    const script = path.join(temporaryDirectory(t), "app.js");
    fs.writeFileSync(script, "");
    const command = host.command(script).map((word) => `'${word}'`).join(" ");
    const program = await bindSockets(
      [WEB],
      (sockets) => startActivated(t, ["sh", "-c", `${command}; true`], sockets),
    );
    assert.equal(await program.exited, 0, program.output);
    assert.match(
      program.stderr,
      /^listenfds: Not activated: .* sh was started in its place: begin the last command with exec$/m,
    );
  });

  test(`the process on ${host.label} ends when it is idle`, async (t) => {
    const { agent, ports: [port] } = await start(t, [WEB], {
      LISTENFDS_MAP: "web=3000",
      LISTENFDS_IDLE_TIMEOUT: "200ms",
    });
    await agent.call("listenHttp", "app", [3000]);
    assert.equal(await getBody(port!, "/"), "app");
    assert.equal(await agent.exited, 0, agent.output);
  });

  test(`a worker thread on ${host.label} binds as without the preload`, async (t) => {
    const [asked] = await freePorts(1);
    const { agent } = await start(t, [WEB], { LISTENFDS_MAP: `web=${asked}` });
    const port = await agent.call(
      "inWorker",
      `const { parentPort } = require("node:worker_threads");
      const server = require("node:http").createServer().listen(${asked}, () =>
        parentPort.postMessage(server.address().port));`,
    );
    assert.equal(port, asked);
  });
});

forEachHost(PRELOADED.filter(({ runtime }) => runtime === "bun"), (host) => {
  test(`Bun.serve on ${host.label} takes the port of the environment`, async (t) => {
    const { agent, sockets } = await activateAgent(
      t,
      host,
      [WEB],
      { LISTENFDS_MAP: "web=3456", PORT: "3456" },
      PRELOAD_AGENT,
    );
    const port = sockets[0]!.port!;
    const { id, address } = await agent.call("serveBun", "bun", {});
    assert.equal(address.port, port);
    assert.equal(await getBody(port, "/"), "bun");
    await agent.call("close", id);
    const again = await agent.call("serveBun", "again", {});
    const kept = new http.Agent({ keepAlive: true });
    t.after(() => kept.destroy());
    assert.equal(await getBody(port, "/", kept), "again");
    await agent.call("serveBun", "third", {}, again.id);
    assert.equal(await getBody(port, "/"), "third");
  });
});
