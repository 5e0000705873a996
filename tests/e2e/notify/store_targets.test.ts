/** What `storeDescriptor()` takes: listeners of each kind, and nothing closed. */

import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { fdOf } from "../../harness/descriptors.ts";
import { forEachHost, HOSTS, ROOT } from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { FakeManager, NO_MANAGER } from "../../harness/manager.ts";
import { startActivated } from "../../harness/program.ts";
import { listeningInodes, withInode } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

/** Hosts that can send descriptors. */
const STORING = HOSTS.filter(({ inspects, label }) =>
  inspects && label !== "node 22" && label !== "node 24"
);

forEachHost(STORING, (host) => {
  test(
    `storeDescriptor() on ${host.label} stores the sockets of each kind of listener`,
    {
      skip: NO_MANAGER,
    },
    async (t) => {
      const manager = await FakeManager.start(t);
      // Two sockets of one address, as with ReusePort=yes.
      const first = await listen(0);
      const { port } = first.address() as net.AddressInfo;
      const second = await listen(port);
      const sockets = [first, second].map((server) =>
        withInode({ name: "web", fd: fdOf(server), port })
      );
      const file = fs.openSync(import.meta.filename!, "r");
      const script = path.join(ROOT, "tests/fixtures/storer.ts");
      const program = startActivated(
        t,
        host.command(script, temporaryDirectory(t)),
        [...sockets, { name: "file", fd: file }],
        { NOTIFY_SOCKET: manager.address },
      );
      const { ino } = fs.fstatSync(file);
      fs.closeSync(file);
      first.close();
      second.close();
      await program.until("the end", () => program.stdout.includes("done"));
      const outcomes = program.stdout.trim().split("\n").map((line) =>
        JSON.parse(line)
      );
      const refused = ["not-open", "not-open", "not-open", "RangeError"];
      assert.deepEqual(outcomes.slice(-5), [...refused, "done"]);
      assert.deepEqual(new Set(outcomes.slice(0, -5)), new Set([true]));
      const stored = manager.messages
        .filter(({ lines }) => lines.includes("FDSTORE=1"))
        .flatMap(({ inodes }) => inodes);
      assert.deepEqual(
        stored.sort((a, b) => a - b),
        [
          ...new Set([
            ...listeningInodes(program.pid),
            ...sockets.map(({ inode }) => inode),
            ino,
          ]),
        ].sort((a, b) => a - b),
      );
      program.process.stdin!.write("\n");
      assert.equal(await program.exited, 0, program.output);
    },
  );
});

async function listen(port: number): Promise<net.Server> {
  const server = net.createServer();
  server.listen({ port, host: "127.0.0.1", reusePort: true });
  await once(server, "listening");
  return server;
}
