/** Descriptors that a process passes on to its children. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { getBody } from "../../harness/client.ts";
import { forEachHost, hostsWith, ROOT } from "../../harness/hosts.ts";
import { startActivated } from "../../harness/program.ts";
import { bindSockets } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const PARENT = path.join(ROOT, "tests/fixtures/passing_parent.ts");

/** The ways of each runtime to start children. */
const WAYS = {
  deno: ["spawn"],
  bun: ["spawn", "Bun.spawn", "cluster"],
  node: ["spawn", "cluster"],
} as const;

/** The programs that have all permissions. */
const PARENTS = hostsWith({ hasOwnServers: true }).flatMap((host) =>
  WAYS[host.runtime].map((way) => ({
    ...host,
    way,
    label: `${host.label}, ${way}`,
  }))
);

forEachHost(PARENTS, ({ label, way, command }) => {
  test(`children serve what is passed on to them, by name, on ${label}`, async (t) => {
    const { program, ports, inodes } = await bindSockets(
      ["admin=tcp:127.0.0.1:0", "web=tcp:127.0.0.1:0"],
      (sockets) => ({
        program: startActivated(t, command(PARENT, way), sockets),
        ports: sockets.map(({ port }) => port!),
        inodes: sockets.map(({ fd }) => fs.readlinkSync(`/proc/self/fd/${fd}`)),
      }),
    );
    const children = await program.until(
      "two children to serve",
      () =>
        program.stdout.split("\n").filter((line) => line.includes('"pid"'))
          .map((line) => JSON.parse(line) as { pid: number; names: unknown }),
      ({ length }) => length === 2,
    );
    for (const { names } of children) {
      assert.deepEqual(names, [[3, "admin"], [4, "web"]]);
    }
    for (const port of ports) {
      const pids = new Set<number>();
      await program.until("both to answer", async () => {
        pids.add(Number(await getBody(port, "/")));
        return pids.size === 2;
      });
      assert.deepEqual(
        [...pids].sort(),
        children.map(({ pid }) => pid).sort(),
      );
    }
    // Nothing is meant for the children of a child, nor open in them.
    const found = await getBody(ports[0]!, "/env");
    const [variables, ...links] = found.split("\n");
    assert.equal(variables, `${program.pid},,`);
    for (const inode of inodes) assert.ok(!links.includes(inode), found);
    assert.equal(await program.terminate(), 0, program.output);
    for (const { pid } of children) {
      await program.until("the children to end", () => !isRunning(pid))
        .catch(() => assert.ok(!isRunning(pid), `${pid} is running`));
    }
  });
});

/** Returns whether a process is there. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
