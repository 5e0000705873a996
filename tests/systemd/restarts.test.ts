/**
 * Requests lost by restarts under load: none, where the server shuts down
 * gracefully. The short form is for every run of the tests; with
 * `LISTENFDS_RESTARTS` it takes longer, and prints a table of it beside what the
 * runtimes' own ends lose.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { after } from "node:test";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import { installHello } from "./load/hello.ts";
import {
  answered,
  groups,
  HELLO_GROUPS,
  installLoaded,
  lost,
  measureRestarts,
  type Stop,
} from "./load/under_load.ts";
import { AUTO_HOSTS, MAIN_HOSTS, NATIVE_HOSTS } from "./machine/units.ts";
import { forEachHost } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
const LONG = process.env["LISTENFDS_RESTARTS"];
const RESTARTS = Number(LONG ?? 10);
const TIMEOUT_MS = 240_000 + RESTARTS * 10_000;

/** The rows of the table: what was measured, by what and how it was stopped. */
const table = new Map<string, Map<Stop, string>>();

forEachHost(NATIVE_HOSTS, (host) => {
  for (const keepAlive of [false, true]) {
    const connections = keepAlive ? "keep-alive" : "new connections";
    const row = `${host.label.replace(" -A", "")} | ${connections}`;
    const cells = new Map<Stop, string>();
    table.set(row, cells);
    const restart = (stop: Stop, restarts: number, what: string) =>
      test(
        `${restarts} restarts of ${host.label} with ${connections} ${what}`,
        { skip: NO_MACHINE, timeout: TIMEOUT_MS },
        async (t) => {
          await installLoaded(t, machine(), host, stop);
          const clients = groups(keepAlive);
          const report = await measureRestarts(
            t,
            machine(),
            clients,
            restarts,
          );
          const failures = lost(report);
          const sum = failures.reduce((a, b) => a + b);
          const answers = answered(report);
          cells.set(stop, `${failures.join(" / ")} of ${answers + sum}`);
          const message = JSON.stringify(report);
          // Three groups of clients, each several times for each process.
          assert.ok(answers > restarts * 3 * 8, message);
          if (stop === "graceful") assert.equal(sum, 0, message);
          if (stop === "exit") assert.ok(sum > restarts, message);
        },
      );
    if (LONG !== undefined) restart("naive", RESTARTS, "by the runtime alone");
    // Who sees nothing lost here would see nothing lost anywhere.
    if (!keepAlive) restart("exit", 2, "that just end lose requests");
    restart("graceful", RESTARTS, "lose nothing");
  }
});

const HELLO_HOSTS = AUTO_HOSTS.filter((host) => MAIN_HOSTS.includes(host));
const HELLO_RESTARTS = Number(LONG ?? 2);
/** The long form sends 100,000 requests to each runtime. */
const HELLO_ANSWERS = LONG === undefined
  ? 8
  : Math.ceil(100_000 / HELLO_GROUPS.length / HELLO_RESTARTS);

forEachHost(HELLO_HOSTS, (host) => {
  test(
    `${HELLO_RESTARTS} restarts of the first program of README.md on ${host.label} lose nothing`,
    { skip: NO_MACHINE, timeout: TIMEOUT_MS },
    async (t) => {
      await installHello(t, machine(), host);
      const report = await measureRestarts(
        t,
        machine(),
        HELLO_GROUPS,
        HELLO_RESTARTS,
        HELLO_ANSWERS,
      );
      const requests = answered(report);
      const message = JSON.stringify(report);
      t.diagnostic(`${host.label}: ${requests} requests, ${message}`);
      assert.deepEqual(lost(report), HELLO_GROUPS.map(() => 0), message);
      assert.ok(
        requests >= HELLO_ANSWERS * HELLO_RESTARTS * HELLO_GROUPS.length,
        message,
      );
    },
  );
});

after(() => {
  if (LONG === undefined || NO_MACHINE) return;
  console.log(
    `\nRequests lost in ${RESTARTS} restarts: fast / 200 ms / uploads\n\n` +
      "| server | clients | its own shutdown | graceful |\n|---|---|---|---|",
  );
  for (const [row, cells] of table) {
    console.log(
      `| ${row} | ${cells.get("naive")} | ${cells.get("graceful")} |`,
    );
  }
});
