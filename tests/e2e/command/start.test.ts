/** Each verb on every version of every runtime, or what says why it can't. */

import assert from "node:assert/strict";
import path from "node:path";
import type { TestContext } from "node:test";
import { exchange } from "../../harness/client.ts";
import {
  forEachHost,
  type Host,
  hostsWith,
  ROOT,
} from "../../harness/hosts.ts";
import { NO_PYTHON, temporaryDirectory } from "../../harness/machine_tools.ts";
import { startProgram } from "../../harness/program.ts";
import { COMMAND, python, startRun } from "../../harness/run.ts";
import { test } from "../../harness/timed_test.ts";

/** Runs the command to its end, with a status; gives what it wrote. */
async function runCommand(
  t: TestContext,
  host: Host,
  expected: number,
  ...args: string[]
): Promise<string> {
  const program = startProgram(t, host.command(COMMAND, ...args), {
    cwd: temporaryDirectory(t),
  });
  assert.equal(await program.exited, expected, program.stderr);
  return program.stdout;
}

/** Passes no descriptors to processes that it starts. */
const isTooOld = ({ label }: Host) => /^deno 2\.[0-6] /.test(label);

forEachHost(hostsWith({ runsCommand: true }), (host) => {
  test(`listenfds starts on ${host.label}`, async (t) => {
    assert.match(await runCommand(t, host, 0, "--help"), /^Usage: listenfds /);
    assert.match(await runCommand(t, host, 0, "run", "--help"), /--socket/);
    assert.match(await runCommand(t, host, 1, "inspect"), /^No descriptors$/m);
    const service = path.join(ROOT, "examples/service.ts");
    const command = [...host.command(service)];
    const options = ["--socket", "web=127.0.0.1:8080", "--"];
    const units = await runCommand(
      t,
      host,
      0,
      ...["unit", "example", ...options, ...command],
    );
    assert.match(units, /^FileDescriptorName=web$/m);
  });

  test(
    `run passes a socket and variables on ${host.label}, or says what can`,
    { skip: NO_PYTHON },
    async (t) => {
      const run = startRun(t, host, ["--socket=web=127.0.0.1:0"], python());
      if (isTooOld(host)) {
        assert.equal(await run.exited, 2, run.stderr);
        assert.match(
          run.stderr,
          /^listenfds run: Passing sockets to a command: Deno [\d.]+ can't pass descriptors: run listenfds with Deno 2\.7 or later\n$/,
        );
        return;
      }
      const { names, sockets, pid } = await run.generation(0);
      assert.deepEqual(names, ["web"]);
      const [hostname, port] = sockets[0]!.address as [string, number];
      assert.equal(
        await exchange({ host: hostname, port }, ""),
        `web ${pid}\n`,
      );
    },
  );
});
