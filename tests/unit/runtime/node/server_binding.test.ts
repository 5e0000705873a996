import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { test } from "node:test";
import { currentPlatform } from "../../../../src/runtime/current.ts";
import { ServerBinding } from "../../../../src/runtime/node/server_binding.ts";

function isAccepting(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

test("ServerBinding closes the sockets of all calls that succeeded at once", async () => {
  const server = http.createServer();
  const binding = new ServerBinding(server);
  const listen = () =>
    binding.listen(
      currentPlatform(),
      { kind: "fallback", address: { port: 0, hostname: "127.0.0.1" } },
      false,
      "Testing",
    );
  const addresses = (await Promise.all([listen(), listen()])).flat();
  const ports = addresses.map((address) => (address as { port: number }).port);
  const accepting = () => Promise.all(ports.map(isAccepting));
  assert.deepEqual(await accepting(), [true, true]);
  const closed = new Promise<void>((resolve) => server.once("close", resolve));
  server.close();
  await closed;
  assert.deepEqual(await accepting(), [false, false]);
});
