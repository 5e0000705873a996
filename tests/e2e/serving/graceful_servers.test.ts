/** Graceful shutdown of several servers, of second signals, and of process 1. */

import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import process from "node:process";
import type { TestContext } from "node:test";
import { request } from "../../harness/client.ts";
import { CLOSE, openClient } from "../../harness/draining.ts";
import {
  endOf,
  fixture,
  openBusyClient,
  openUsedClient,
  signal,
  startService,
  terminateBusy,
  untilPrinted,
} from "../../harness/graceful.ts";
import { forEachHost, type Host, hostsWith } from "../../harness/hosts.ts";
import { missingProgram } from "../../harness/machine_tools.ts";
import { startActivated, startProgram } from "../../harness/program.ts";
import { bindSockets, freePorts } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const SERVING = hostsWith({ serves: true });
const WEB_AND_ADMIN = ["web", "admin"];

forEachHost(SERVING, (host) => {
  for (const step of ["serve:admin", "listen:admin"]) {
    test(`SIGTERM on ${host.label} shuts down a server and that of ${step}`, async (t) => {
      const steps = ["serve", step];
      const service = await startService(t, host, steps, {}, WEB_AND_ADMIN);
      const admin = service.targets[1]!;
      const slow = await openClient(t, admin);
      slow.send(step === "listen:admin" ? "/slow" : "/hold");
      await untilPrinted(service.program, "begun");
      await openUsedClient(t, service, admin);
      const { status } = await terminateBusy(t, service);
      assert.equal(status, 0);
      await slow.untilEnded();
      assert.match(slow.received, /slow\n|held\n/);
    });
  }

  test(`SIGTERM on ${host.label} leaves a server without graceful shutdown to the program`, async (t) => {
    const service = await startService(
      t,
      host,
      ["serve", "serve-plain:admin"],
      { exitMs: 60_000, timeout: 60_000 },
      WEB_AND_ADMIN,
    );
    const { program, targets } = service;
    const busy = await openBusyClient(t, service);
    program.process.kill("SIGTERM");
    await busy.until(program, "held\n");
    assert.equal((await request(targets[1]!)).body, "hello\n");
    assert.equal((await signal(t, program)).status, "SIGTERM");
  });

  test(`a second SIGTERM on ${host.label} ends the process at once`, async (t) => {
    const service = await startService(t, host, ["serve", "keep"], {
      timeout: 60_000,
    });
    const { program } = service;
    const stuck = await openBusyClient(t, service, "/stuck");
    const busy = await openClient(t, service.web);
    busy.send("/hold");
    await untilPrinted(program, "begun", 2);
    program.process.kill("SIGTERM");
    await busy.until(program, "held\n");
    assert.equal((await signal(t, program)).status, "SIGTERM");
    assert.equal(stuck.received, "");
  });

  for (const steps of [["serve"], ["serve", "on", "keep"]]) {
    test(`SIGTERM after ${steps} on ${host.label} cuts off a request that takes too long`, async (t) => {
      const timeout = 700;
      const service = await startService(t, host, steps, { timeout });
      const stuck = await openBusyClient(t, service, "/stuck");
      const { status, ms } = await signal(t, service.program);
      assert.equal(status, 0);
      assert.ok(ms >= timeout, `${ms} ms`);
      await stuck.untilEnded();
      assert.equal(stuck.received, "");
    });
  }

  test(`SIGTERM on ${host.label} leaves a shutdown that the program began its time`, async (t) => {
    const timeout = 1500;
    const steps = ["serve", "shutdown-on-input"];
    const service = await startService(t, host, steps, { timeout });
    const { program } = service;
    await openBusyClient(t, service, "/stuck");
    program.process.stdin!.write("shut down\n");
    await untilPrinted(program, "draining");
    assert.equal((await signal(t, program)).status, 0);
  });

  test(`SIGTERM on ${host.label} answers requests before the program's server.close()`, async (t) => {
    const steps = ["listen", "close-in-listener"];
    const service = await startService(t, host, steps);
    const slow = await openBusyClient(t, service, "/slow");
    assert.equal((await signal(t, service.program)).status, 5);
    await slow.untilEnded();
    assert.match(slow.received, /slow\n/);
  });

  test(`the runtime's own server on ${host.label} is shut down gracefully`, async (t) => {
    const service = await startService(t, host, ["serve", "finish-by-itself"]);
    const used = await openUsedClient(t, service);
    const busy = await openBusyClient(t, service, "/end");
    assert.equal(
      (await endOf(t, service.program, performance.now())).status,
      3,
    );
    await busy.untilEnded();
    assert.match(busy.received, /ended\n/);
    await used.untilEnded();
  });

  test(`SIGTERM on ${host.label} shuts down a server that begins afterwards`, async (t) => {
    const { program } = await startService(
      t,
      host,
      ["serve", "serve-late:admin"],
      {},
      WEB_AND_ADMIN,
    );
    assert.equal((await signal(t, program)).status, 0);
    assert.match(program.stdout, /^late$/m);
  });

  test(`SIGTERM on ${host.label} before the first server leaves the backlog to the next process`, async (t) => {
    const startAll = (...programs: string[][]) =>
      bindSockets(["web=tcp:127.0.0.1:0"], (sockets) => ({
        web: { host: "127.0.0.1", port: sockets[0]!.port! },
        programs: programs.map((steps) =>
          startActivated(
            t,
            host.command(fixture("program.ts"), "{}", ...steps),
            sockets,
          )
        ),
      }));
    const { web, programs: [program, next] } = await startAll(
      ["import", "keep"],
      ["await-input", "serve"],
    );
    await untilPrinted(program!, "ready");
    const client = await openClient(t, web);
    client.send("/fast");
    assert.equal((await signal(t, program!)).status, "SIGTERM");
    next!.process.stdin!.write("serve\n");
    await client.until(next!, "hello\n");
  });

  test(`SIGTERM on ${host.label} has its usual effect after the servers have ended`, async (t) => {
    const steps = ["serve", "shutdown", "keep"];
    const { program } = await startService(t, host, steps);
    assert.equal((await signal(t, program)).status, "SIGTERM");
  });

  test(`eleven servers on ${host.label} share one listener`, async (t) => {
    const names = Array.from({ length: 11 }, (_, index) => `web${index}`);
    const steps = [...names.map((name) => `serve:${name}`), "count"];
    const service = await startService(t, host, steps, {}, names);
    await untilPrinted(service.program, "count 1");
    const { status } = await terminateBusy(t, service);
    assert.equal(status, 0);
  });
});

/** Hosts whose programs may bind ports and connect. */
const NETWORKED = hostsWith({ hasOwnServers: true });

forEachHost(NETWORKED, (host) => {
  for (const isGraceful of [undefined, true]) {
    test(`SIGTERM on ${host.label}, fallback, gracefulShutdown: ${isGraceful}`, async (t) => {
      const settings = JSON.stringify({
        fallback: true,
        gracefulShutdown: isGraceful,
      });
      const program = startProgram(
        t,
        host.command(fixture("program.ts"), settings, "serve"),
      );
      await untilPrinted(program, "ready");
      const port = Number(/^port (\d+)$/m.exec(program.stdout)![1]);
      const service = {
        program,
        web: { host: "127.0.0.1", port },
        targets: [],
      };
      if (isGraceful) {
        assert.equal((await terminateBusy(t, service)).status, 0);
      } else {
        assert.equal((await signal(t, program)).status, "SIGTERM");
      }
    });
  }

  test(`SIGTERM on ${host.label} has no effect on a server in a worker thread`, async (t) => {
    const [port] = await freePorts(1) as [number];
    const web = { host: "127.0.0.1", port };
    const command = host.command(
      fixture("worker_main.ts"),
      String(port),
      "on",
    );
    const program = startProgram(t, command);
    await untilPrinted(program, "ready");
    const client = await openUsedClient(t, { program, web, targets: [] });
    program.process.kill("SIGTERM");
    await untilPrinted(program, "signal");
    // Longer than the timeout, after which a shutdown would have ended.
    await program.staysFor(500);
    await client.ask(program, "/fast", "hello\n");
    assert.doesNotMatch(client.received, CLOSE);
    assert.equal((await request(web)).body, "hello\n");
    assert.doesNotMatch(program.stdout, /worker ended/);
  });

  test(`SIGTERM on ${host.label} ends a process whose worker thread serves`, async (t) => {
    const [port] = await freePorts(1);
    const command = host.command(fixture("worker_main.ts"), String(port));
    const program = startProgram(t, command);
    await untilPrinted(program, "ready");
    assert.equal((await signal(t, program)).status, "SIGTERM");
  });
});

forEachHost(
  NETWORKED.filter(({ label }) => !/node 2[26]/.test(label)),
  (host) => {
    test(`SIGTERM on ${host.label} ends a process with an open connection after five seconds`, async (t) => {
      const database = net.createServer().listen(0, "127.0.0.1");
      await once(database, "listening");
      t.after(() => database.close());
      const { port } = database.address() as net.AddressInfo;
      const connected = once(database, "connection");
      const service = await startService(t, host, ["serve", `pool:${port}`]);
      const [connection] = await connected as [net.Socket];
      connection.on("error", () => {});
      const { status, ms } = await terminateBusy(t, service);
      assert.equal(status, 0);
      // Before the timeout of the shutdown, which is ten seconds.
      assert.ok(ms >= 5000 && ms < 9500, `${ms} ms`);
    });
  },
);

/** Becomes process 1 of a namespace of its own, with the descriptors. */
const UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];

function asProcess1(host: Host): Pick<Host, "command"> {
  return {
    command: (...script) => [
      ...UNSHARE,
      "/bin/sh",
      "-c",
      'LISTEN_PID=$$ exec "$@"',
      "sh",
      ...host.command(...script),
    ],
  };
}

/** Starts a program as process 1, and returns its number outside, too. */
async function startProcess1(t: TestContext, host: Host) {
  const settings = { timeout: 60_000 };
  const service = await startService(t, asProcess1(host), ["serve"], settings);
  const { pid: parent } = service.program;
  const children = `/proc/${parent}/task/${parent}/children`;
  const [pid] = fs.readFileSync(children, "utf8").split(" ").map(Number);
  return { service, pid: pid! };
}

const skip = missingProgram("unshare") ||
  (process.getuid!() !== 0 && "needs root for a PID namespace");

forEachHost(SERVING, (host) => {
  test(
    `SIGTERM on ${host.label} shuts down process 1 of a container`,
    { skip },
    async (t) => {
      const { service, pid } = await startProcess1(t, host);
      const { program } = service;
      const busy = await openBusyClient(t, service);
      const used = await openUsedClient(t, service);
      const signalledAt = performance.now();
      process.kill(pid, "SIGTERM");
      await used.ask(program, "/fast", "hello\n");
      assert.equal((await endOf(t, program, signalledAt)).status, 0);
      assert.match(busy.received, /held\n/);
    },
  );

  test(`a second SIGTERM on ${host.label} ends process 1 of a container`, {
    skip,
  }, async (t) => {
    const { service, pid } = await startProcess1(t, host);
    const { program } = service;
    await openBusyClient(t, service, "/stuck");
    const busy = await openClient(t, service.web);
    busy.send("/hold");
    await untilPrinted(program, "begun", 2);
    process.kill(pid, "SIGTERM");
    await busy.until(program, "held\n");
    const signalledAt = performance.now();
    process.kill(pid, "SIGTERM");
    assert.equal((await endOf(t, program, signalledAt)).status, 128 + 15);
  });
});
