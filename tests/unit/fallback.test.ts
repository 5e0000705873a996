/** Binding where nothing is activated: on every system, not only on Linux. */

import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { activation, inactiveReason, listen, serve } from "../../mod.ts";

/** The body of the answer to a request. */
function ask(options: http.RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ agent: false, ...options }, (response) => {
      text(response).then(resolve, reject);
    });
    request.once("error", reject);
  });
}

test("activation() is null where nothing is activated", () => {
  assert.equal(activation(), null);
  assert.equal(inactiveReason()?.kind, "absent");
});

test("serve() binds the port that it falls back to", async () => {
  const server = await serve(
    "web",
    { fallback: { port: 0, hostname: "127.0.0.1" } },
    (request) => new Response(`hello from ${new URL(request.url).pathname}\n`),
  );
  const [address] = server.addresses;
  assert.ok(address !== undefined && "port" in address);
  const target = { hostname: "127.0.0.1", port: address.port, path: "/here" };
  assert.equal(await ask(target), "hello from /here\n");
  await server.shutdown();
});

test("listen() binds the path that it falls back to, and removes it again", async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "listenfds-"));
  try {
    const file = path.join(directory, "echo.sock");
    const listener = await listen("echo", { fallback: { path: file } });
    const accepted = (async () => {
      for await (const { readable, writable } of listener) {
        await readable.pipeTo(writable);
        break;
      }
    })();
    const socket = net.connect({ path: file, allowHalfOpen: true });
    socket.end("hello");
    assert.equal(await text(socket), "hello");
    await accepted;
    listener.close();
    const deadline = Date.now() + 20_000;
    while (fs.existsSync(file) && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.ok(!fs.existsSync(file), "the path is still there");
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});
