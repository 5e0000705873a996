/** Sockets that tests hand over, and those that processes listen on. */

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import {
  type BoundSocket,
  parseSocketSpec,
  withSockets,
} from "../../src/cli/activator/activator.ts";
import type { Program } from "./program.ts";

/** A bound socket, with its inode for comparing. */
export interface HandedSocket extends BoundSocket {
  readonly inode: number;
}

/** Returns a socket with its inode; this process has to have it open. */
export function withInode(socket: BoundSocket): HandedSocket {
  return { ...socket, inode: fs.fstatSync(socket.fd).ino };
}

/**
 * Binds sockets, such as `web=tcp:127.0.0.1:0`, for as long as it takes to
 * start programs with them.
 */
export function bindSockets<T>(
  specs: readonly string[],
  start: (sockets: readonly HandedSocket[]) => T,
): Promise<T> {
  return withSockets(
    specs.map(parseSocketSpec),
    (bound) => start(bound.map(withInode)),
  );
}

/** Returns the inodes of all sockets that a process has open, sorted. */
export function socketInodes({ pid }: Pick<Program, "pid">): number[] {
  const inodes = fs.readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const link = fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
      const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
      return inode === undefined ? [] : Number(inode);
    } catch {
      return [];
    }
  });
  return [...new Set(inodes)].sort((a, b) => a - b);
}

/** Returns the inodes of all sockets that a process listens on, sorted. */
export function listeningInodes(pid: number): number[] {
  const open = new Set(socketInodes({ pid }).map(String));
  const listening: string[] = [];
  for (const table of ["tcp", "tcp6"]) {
    for (const line of readTable(pid, table)) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] === "0A") listening.push(fields[9]!);
    }
  }
  for (const line of readTable(pid, "unix")) {
    const fields = line.split(/\s+/);
    if (fields[3] === "00010000") listening.push(fields[6]!);
  }
  return listening.filter((inode) => open.has(inode)).map(Number)
    .sort((a, b) => a - b);
}

/** Counts the connections over IPv4 to a port that a process has open. */
export function countAccepted(
  { pid }: Pick<Program, "pid">,
  port: number,
): number {
  const open = new Set(socketInodes({ pid }).map(String));
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return readTable(pid, "tcp").filter((line) => {
    const fields = line.trim().split(/\s+/);
    return fields[1]?.endsWith(suffix) && fields[3] !== "0A" &&
      open.has(fields[9]!);
  }).length;
}

function readTable(pid: number, name: string): string[] {
  const file = `/proc/${pid}/net/${name}`;
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n") : [];
}

/** Returns the inodes of sockets, sorted. */
export function inodesOf(sockets: readonly HandedSocket[]): number[] {
  return sockets.map(({ inode }) => inode).sort((a, b) => a - b);
}

/** Checks that a process listens on exactly what it was handed. */
export function assertListensOnly(
  { pid }: Program,
  sockets: readonly HandedSocket[],
): void {
  assert.deepEqual(listeningInodes(pid), inodesOf(sockets));
}

/** Waits until a process listens on exactly these sockets. */
export async function untilListensOnly(
  program: Program,
  sockets: readonly HandedSocket[],
): Promise<void> {
  const expected = String(inodesOf(sockets));
  await program.until(
    `listening on the sockets [${expected}] only`,
    () => String(listeningInodes(program.pid)),
    (actual) => actual === expected,
  );
}

/** Below those that Linux gives to sockets that ask for no port: from 32768. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_767;

/**
 * Returns ports that are free, on IPv4 and IPv6. No other socket gets one by
 * chance, and no other test while the process of this one runs.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    if (await reserve(port) && await isFree(port)) ports.push(port);
  }
  return ports;
}

/** Takes a port until this process ends, among all tests of this network. */
async function reserve(port: number): Promise<boolean> {
  // An abstract socket belongs to a network namespace, as ports do.
  if (process.platform !== "linux") return true;
  const server = await tryListen({ path: `\0listenfds-test-port-${port}` });
  server?.unref();
  return server !== undefined;
}

/** Whether no socket listens on a port, on any address. */
export async function isFree(port: number): Promise<boolean> {
  const server = await tryListen({ port });
  if (server === undefined) return false;
  server.close();
  await once(server, "close");
  return true;
}

/** @returns Nothing where the address is in use. */
async function tryListen(
  options: net.ListenOptions,
): Promise<net.Server | undefined> {
  const server = net.createServer().listen(options);
  try {
    await once(server, "listening");
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return;
    throw error;
  }
}
