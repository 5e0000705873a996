/** The way to hold sockets that needs no C library; Deno has only the other. */

import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { bindSockets } from "../../../../src/cli/activator/bind.ts";
import { parkedBinder } from "../../../../src/cli/activator/parked_binder.ts";
import { parseSocketSpec } from "../../../../src/cli/shared/socket_spec.ts";
import { parseUnixRecord } from "../../../../src/linux/procfs.ts";

const skip = "Deno" in globalThis
  ? "Deno doesn't tell the descriptors of its sockets"
  : process.platform === "win32" && "there are no descriptors to hand over";

/** Whether somebody listens. */
function connects(target: net.NetConnectOpts): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(target);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

test("parkedBinder() holds sockets, and closes them", { skip }, async () => {
  const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "listenfds-"));
  try {
    const file = path.join(cwd, "a.sock");
    const specs = ["a=127.0.0.1:0", "b=unix:a.sock", "c=udp:127.0.0.1:0"]
      .map(parseSocketSpec);
    const held = await bindSockets(specs, { cwd, binder: parkedBinder() });
    assert.equal(held.fds.length, 3);
    assert.equal(new Set(held.fds).size, 3);
    for (const fd of held.fds) assert.ok(fs.fstatSync(fd).isSocket());
    const [port] = held.ports;
    const target = { host: "127.0.0.1", port: port! };
    // The kernel does it: nobody accepts.
    assert.ok(await connects(target));
    assert.ok(await connects({ path: file }));
    held.makeBlocking();
    await held.close();
    assert.equal(await connects(target), false);
    assert.deepEqual(fs.readdirSync(cwd), []);
  } finally {
    fs.rmSync(cwd, { recursive: true });
  }
});

test("parkedBinder() accepts nothing while it binds other sockets", {
  skip: skip || process.platform !== "linux" && "there is no /proc",
}, async () => {
  const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "listenfds-"));
  const file = path.join(cwd, "0.sock");
  const specs = Array.from(
    { length: 20 },
    (_, index) => parseSocketSpec(`x${index}=unix:${index}.sock`),
  );
  const clients: net.Socket[] = [];
  // Connects to the first one as soon as it is bound.
  const connecting = setInterval(() => {
    if (fs.existsSync(file)) {
      clients.push(net.connect(file).on("error", () => {}));
    }
  }, 0);
  try {
    const held = await bindSockets(specs, { cwd, binder: parkedBinder() });
    clearInterval(connecting);
    assert.ok(await connects({ path: file }));
    const accepted = fs.readFileSync("/proc/self/net/unix", "utf8")
      .split("\n").map(parseUnixRecord)
      .filter((record) =>
        record?.path === file && !record.listening && record.inode !== "0"
      );
    assert.deepEqual(accepted, []);
    await held.close();
  } finally {
    clearInterval(connecting);
    for (const client of clients) client.destroy();
    fs.rmSync(cwd, { recursive: true });
  }
});

test("parkedBinder() binds all or none", { skip }, async () => {
  const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "listenfds-"));
  const server = net.createServer();
  try {
    await new Promise<void>((resolve) => {
      server.listen({ port: 0, host: "127.0.0.1" }, resolve);
    });
    const { port } = server.address() as net.AddressInfo;
    const specs = ["b=unix:a.sock", `a=127.0.0.1:${port}`].map(parseSocketSpec);
    await assert.rejects(
      bindSockets(specs, { cwd, binder: parkedBinder() }),
      /UsageError: Binding "a" to "127\.0\.0\.1:\d+": the address is in use/,
    );
    assert.deepEqual(fs.readdirSync(cwd), []);
  } finally {
    server.close();
    fs.rmSync(cwd, { recursive: true });
  }
});
