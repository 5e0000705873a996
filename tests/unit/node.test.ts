import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { test } from "node:test";
import { listen } from "../../src/node.ts";

const SERVERS: Readonly<Record<string, () => net.Server>> = {
  "node:net": () => net.createServer(),
  "node:http": () => http.createServer(),
};

for (const [name, createServer] of Object.entries(SERVERS)) {
  test(`listen() refuses a server of ${name} that another call makes listen`, async () => {
    const server = createServer();
    const [first, second] = await Promise.allSettled([
      listen(server, "tcp:127.0.0.1:0"),
      listen(server, "tcp:127.0.0.1:0"),
    ]);
    assert.equal(first.status, "fulfilled");
    assert.equal(second.status, "rejected");
    assert.ok(second.reason instanceof TypeError);
    assert.match(second.reason.message, /: the server listens already, or an/);
    assert.ok(server.listening);
    server.close();
    await once(server, "close");
  });
}
