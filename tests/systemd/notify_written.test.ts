/** Units for services that notify systemd, as `listenfds unit` writes them. */

import assert from "node:assert/strict";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import { installWritten } from "./machine/written.ts";
import { forEachHost, TOOLS } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
const PROGRAM = "/opt/listenfds/tests/systemd/programs/notify.ts";
const UNIT = "written.service";

async function get(path: string): Promise<string> {
  const target = { port: 8080, host: "127.0.0.1" };
  return (await machine().request(target, { path })).body;
}

forEachHost(TOOLS, ({ label, runtime }) => {
  test(`units with --reload and --store on ${label} do what they say`, {
    skip: NO_MACHINE,
  }, async (t) => {
    const isStoring = label !== "node 22" && label !== "node 24";
    await installWritten(t, machine(), [
      "written",
      ...["--socket=web=127.0.0.1:8080", "--reload"],
      ...isStoring ? ["--store=3"] : [],
      ...runtime === "deno" ? ["--native"] : [],
      ...["--", `/usr/local/bin/${label.replace(" ", "-")}`, PROGRAM],
      ...["--names=web", "--reload=1500:/dev/null"],
    ]);
    await machine().systemctl("start", UNIT);
    const pid = await get("/");
    assert.equal(await machine().property(UNIT, "MainPID"), pid);
    const begun = performance.now();
    await machine().systemctl("reload", UNIT);
    const elapsedMs = performance.now() - begun;
    assert.ok(elapsedMs >= 1500, `returned after ${elapsedMs} ms`);
    assert.equal(await get("/"), pid);
    if (!isStoring) return;
    assert.equal(await get("/store"), "true");
    await machine().systemctl("restart", UNIT);
    assert.deepEqual(JSON.parse(await get("/names")).sort(), ["kept", "web"]);
  });
});
