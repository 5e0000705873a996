import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import os from "node:os";
import { test } from "node:test";
import type { ActivationError } from "../../../../mod.ts";
import { currentPlatform } from "../../../../src/runtime/current.ts";
import { listenOn } from "../../../../src/runtime/node/listen.ts";
import { assertError, descriptor } from "../../helpers.ts";

/** Listens at a free port, whatever is asked for, as old versions of Bun do. */
class DeafServer extends net.Server {
  override listen(): this {
    return super.listen({ port: 0, host: "127.0.0.1" });
  }
}

test("listenOn() rejects a server that listens at another address", async () => {
  const address = { kind: "ipv4", hostname: "127.0.0.1", port: 1 } as const;
  const info = { kind: "stream-listener", address } as const;
  const server = new DeafServer();
  const closed = once(server, "close");
  const error = await listenOn(
    // Not a descriptor of this process: nothing of it is to be changed.
    { ...currentPlatform(), closesOnListenError: false } as never,
    server,
    { kind: "inherited", descriptors: [descriptor(3, "web")], infos: [info] },
    "Testing",
  ).catch((error) => error);
  assertError(
    error,
    "address-mismatch",
    'Testing: descriptor 3 ("web") is bound to 127.0.0.1:1, but ',
    "which is closed again: use another version",
  );
  await closed;
});

test("listenOn() reports the error of the operating system with its number", async () => {
  const first = net.createServer();
  const source = { kind: "fallback" } as const;
  const address = { port: 0, hostname: "127.0.0.1" };
  const bound = await listenOn(
    currentPlatform(),
    first,
    { ...source, address },
    "Testing",
  );
  const { port } = bound as { port: number };
  const error = await listenOn(
    currentPlatform(),
    net.createServer(),
    { ...source, address: { ...address, port } },
    "Testing",
  ).catch((error) => error);
  first.close();
  assertError(error, "system", `Testing: binding port ${port} of 127.0.0.1: `);
  const { errno, cause } = error as unknown as ActivationError;
  assert.equal(errno, os.constants.errno.EADDRINUSE);
  assert.ok(cause instanceof Error);
});
