/** Descriptors of many kinds, created by Node, to hand over. */

import { execFileSync } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import type { TestContext } from "node:test";
import { temporaryDirectory } from "./machine_tools.ts";

/** The descriptor behind a handle of `node:net` or `node:dgram`. */
export function fdOf(owner: unknown): number {
  const { _handle } = owner as { _handle: { fd: number } };
  return _handle.fd;
}

/** A descriptor to hand over; closed at the end of the test, or before. */
export interface OpenDescriptor {
  readonly fd: number;
  readonly close: () => void;
}

export type Opener = (t: TestContext) => Promise<OpenDescriptor>;

/** Closes a descriptor at the end of the test, or before, but only once. */
function closeOnce(
  t: TestContext,
  fd: number,
  close: () => void,
): OpenDescriptor {
  let isOpen = true;
  const closeIfOpen = () => {
    if (isOpen) close();
    isOpen = false;
  };
  t.after(closeIfOpen);
  return { fd, close: closeIfOpen };
}

export const openUdp: Opener = async (t) => {
  const socket = dgram.createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const state = Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === "state symbol",
  )!;
  const { handle } =
    (socket as unknown as Record<symbol, { handle: { fd: number } }>)[state]!;
  return closeOnce(t, handle.fd, () => socket.close());
};

export const openFile: Opener = (t) => {
  const file = path.join(temporaryDirectory(t), "regular file");
  fs.writeFileSync(file, "x");
  return Promise.resolve(openPath(t, file));
};

export const openFifo: Opener = (t) => {
  const file = path.join(temporaryDirectory(t), "fifo");
  execFileSync("mkfifo", [file]);
  return Promise.resolve(openPath(t, file));
};

export const openDevice: Opener = (t) =>
  Promise.resolve(openPath(t, "/dev/null"));

function openPath(t: TestContext, file: string): OpenDescriptor {
  const fd = fs.openSync(file, "r+");
  return closeOnce(t, fd, () => fs.closeSync(fd));
}

/** Opens a TCP listener, to be closed here as soon as it is handed over. */
export async function openListener(): Promise<
  { fd: number; port: number; close: () => void }
> {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  return { fd: fdOf(server), port, close: () => server.close() };
}

/** Returns addresses for connections: of TCP, and of a Unix socket. */
export function streamAddresses(t: TestContext): net.ListenOptions[] {
  return [
    { port: 0, host: "127.0.0.1" },
    { path: path.join(temporaryDirectory(t), "x.sock") },
  ];
}

/** Opens a connected pair, whose accepted end is to be handed over. */
export async function openPair(
  t: TestContext,
  address: net.ListenOptions,
): Promise<OpenDescriptor & { client: net.Socket }> {
  const server = net.createServer({ pauseOnConnect: true });
  server.listen(address);
  await once(server, "listening");
  const bound = server.address();
  const target = typeof bound === "string"
    ? { path: bound }
    : { port: bound!.port, host: "127.0.0.1" };
  const client = net.connect({ ...target, allowHalfOpen: true });
  const [accepted] = await once(server, "connection") as [net.Socket];
  server.close();
  t.after(() => client.destroy());
  return {
    ...closeOnce(t, fdOf(accepted), () => accepted.destroy()),
    client,
  };
}
