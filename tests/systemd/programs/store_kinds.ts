/**
 * Serves `web` on the path of its argument, which it binds itself, and stores what
 * is no socket that listens: its standard input, and the first connection of
 * `echo`.
 */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import process from "node:process";
import { activation, connection, listen, serve } from "../../../mod.ts";
import { openFile, storeDescriptor } from "../../../src/notify.ts";

const activated = activation();
const isFirst = activated === null;
const [path, port] = process.argv.slice(2) as [string, string];
const state = isFirst ? "none" : await readState();

await serve("web", {
  fallback: path.startsWith("/") ? { path, store: true } : {
    hostname: "127.0.0.1",
    port: Number(path),
    store: true,
  },
}, () =>
  Response.json({
    pid: process.pid,
    names: [...activated?.names ?? []].sort(),
    state,
  }));

if (isFirst) {
  await storeDescriptor("memory", 0);
  const listener = await listen("echo", {
    fallback: { hostname: "127.0.0.1", port: Number(port) },
  });
  const before = sockets();
  for await (const { readable, writable } of listener) {
    const after = [...sockets()].filter(([inode]) => !before.has(inode));
    await storeDescriptor("live", after[0]![1]);
    await readable.pipeTo(writable);
  }
} else {
  const { readable, writable } = await connection("live");
  await readable.pipeTo(writable);
}

async function readState(): Promise<string> {
  return Buffer.from(await openFile("memory").bytes()).toString();
}

/** The sockets of this process, by the names of their inodes. */
function sockets(): Map<string, number> {
  const found = new Map<string, number>();
  for (const fd of fs.readdirSync("/proc/self/fd")) {
    try {
      const inode = fs.readlinkSync(`/proc/self/fd/${fd}`);
      if (inode.startsWith("socket:")) found.set(inode, Number(fd));
    } catch {
      // The descriptor of the directory itself.
    }
  }
  return found;
}
