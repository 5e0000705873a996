/** How services end that set no option of graceful shutdown, as systemd sees it. */

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import {
  AUTO_HOSTS,
  serviceUnit,
  socketUnit,
  type UnitHost,
} from "./machine/units.ts";
import { eventually } from "../harness/eventually.ts";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
const PROGRAM = "/opt/listenfds/tests/systemd/programs/graceful.ts";

/** Ends of a main process, see `ExecMainCode=` in org.freedesktop.systemd1(5). */
const EXITED = "1";
const KILLED = "2";

/** A running service of `graceful.ts`. */
class Service {
  readonly port: number;
  readonly #name: string;

  private constructor(port: number) {
    this.port = port;
    this.#name = `graceful${port}.service`;
  }

  static async start(
    t: TestContext,
    host: UnitHost,
    extra: "none" | "listener" | "once" | "timer" | "connection",
    port = 8080,
  ): Promise<Service> {
    const service = new Service(port);
    const needsNetwork = extra === "connection" && host.http === "serve";
    const flags = needsNetwork ? ["--allow-net"] : [];
    await machine().install(t, {
      [`graceful${port}.socket`]: socketUnit({
        FileDescriptorName: "web",
        ListenStream: `127.0.0.1:${port}`,
      }),
      [service.#name]: serviceUnit(host, "", {
        ExecStart: [...host.command, ...flags, PROGRAM, extra].join(" "),
      }),
    });
    await machine().systemctl("start", `graceful${port}.socket`);
    await service.request();
    return service;
  }

  /** Sends a request that is answered after a time. */
  async request(ms = 0): Promise<void> {
    const { status, body } = await machine().request(
      { port: this.port },
      { path: `/?ms=${ms}` },
    );
    assert.deepEqual([status, body], [200, "hello\n"]);
  }

  /** Waits until the program has printed a line. */
  async printed(line: string): Promise<void> {
    await eventually(
      `${line} in the journal`,
      () => machine().journal(this.#name),
      (text) => text.split("\n").includes(line),
    );
  }

  kill(): Promise<string> {
    return machine().systemctl("kill", "--signal=TERM", this.#name);
  }

  /** Stops the service, and returns the duration in milliseconds. */
  async stop(): Promise<number> {
    const start = performance.now();
    await machine().systemctl("stop", this.#name);
    return performance.now() - start;
  }

  /** Waits until the process has ended, and returns the milliseconds. */
  async ended(): Promise<number> {
    const start = performance.now();
    await eventually(
      "the end of the process",
      () => machine().property(this.#name, "ActiveState"),
      (state) => state === "inactive" || state === "failed",
    );
    return performance.now() - start;
  }

  async assertEnd(...expected: string[]): Promise<void> {
    const actual = [];
    for (const name of ["Result", "ExecMainCode", "ExecMainStatus"]) {
      actual.push(await machine().property(this.#name, name));
    }
    assert.deepEqual(actual, expected);
  }
}

forEachHost(AUTO_HOSTS, (host) => {
  test(
    `a service on ${host.label} answers what it accepted, runs what awaits its end, and exits with 0`,
    {
      skip: NO_MACHINE,
    },
    async (t) => {
      const service = await Service.start(t, host, "none");
      const response = service.request(300);
      await service.printed("waiting");
      const stopMs = await service.stop();
      await response;
      await service.printed("finished");
      await service.assertEnd("success", EXITED, "0");
      t.diagnostic(`stopped in ${Math.round(stopMs)} ms`);
    },
  );

  test(`an idle service on ${host.label} stops within half a second`, {
    skip: NO_MACHINE,
  }, async (t) => {
    const service = await Service.start(t, host, "none");
    const durations = [];
    // The shortest, because the machine has other things to do.
    for (let round = 0; round < 3; round++) {
      await service.request();
      durations.push(Math.round(await service.stop()));
      await service.assertEnd("success", EXITED, "0");
    }
    t.diagnostic(`stopped in ${durations.join(", ")} ms`);
    assert.ok(Math.min(...durations) < 500, durations.join());
  });

  test(
    `a service on ${host.label} whose own listener exits ends with the status of the listener`,
    {
      skip: NO_MACHINE,
    },
    async (t) => {
      const service = await Service.start(t, host, "listener");
      const response = service.request(60_000).catch(() => {});
      await service.printed("waiting");
      const stopMs = await service.stop();
      await response;
      await service.assertEnd("exit-code", EXITED, "7");
      t.diagnostic(`stopped in ${Math.round(stopMs)} ms`);
      assert.ok(stopMs < 5000, `${stopMs}`);
    },
  );

  test(`a second SIGTERM ends a service on ${host.label} at once`, {
    skip: NO_MACHINE,
  }, async (t) => {
    const service = await Service.start(t, host, "none");
    const response = service.request(60_000).catch(() => {});
    await service.printed("waiting");
    await service.kill();
    await service.printed("shutting down");
    await service.kill();
    const endMs = await service.ended();
    await response;
    await service.assertEnd("success", KILLED, "15");
    t.diagnostic(`ended ${Math.round(endMs)} ms after the second signal`);
    assert.ok(endMs < 5000, `${endMs}`);
  });
});

const LONG_ENDS = [
  {
    extra: "timer",
    behavior: "that a timer keeps alive is ended 5 seconds after its servers",
    seconds: 5,
    status: "0",
  },
  {
    extra: "connection",
    behavior:
      "that a connection keeps alive is ended 5 seconds after its servers",
    seconds: 5,
    status: "0",
  },
  {
    extra: "once",
    behavior:
      "whose own listener was added first, and takes longer, is left alone",
    seconds: 7,
    status: "7",
  },
] as const;

for (const { extra, behavior, seconds, status } of LONG_ENDS) {
  test(`a service ${behavior}`, { skip: NO_MACHINE }, async (t) => {
    // Concurrently, because they mostly wait.
    await Promise.all(AUTO_HOSTS.map(async (host, index) => {
      const service = await Service.start(t, host, extra, 8080 + index);
      if (extra === "connection") await service.printed("connected");
      const start = performance.now();
      await service.kill();
      await service.printed("finished");
      await service.ended();
      const endMs = performance.now() - start;
      await service.assertEnd(
        status === "0" ? "success" : "exit-code",
        EXITED,
        status,
      );
      t.diagnostic(`${host.label}: ended after ${Math.round(endMs)} ms`);
      // Before the 10 seconds of the option `timeout`, on a machine under load.
      assert.ok(
        endMs > seconds * 1000 && endMs < seconds * 1000 + 4500,
        `${host.label}: ${endMs}`,
      );
    }));
  });
}
