/**
 * Binds what an activator was asked for, all or none: resolves host names, makes
 * sure that paths are free, and says in one line what is wrong.
 *
 * @module
 */

import dns from "node:dns/promises";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import process from "node:process";
import { quote } from "../../core/errors.ts";
import type { SocketCalls } from "../../ffi/sockets.ts";
import { currentPlatform } from "../../runtime/current.ts";
import { openSocketCalls } from "../../runtime/open_sockets.ts";
import { type Binder, BindFailure, type Bound } from "./binder.ts";
import { libcBinder } from "./libc_binder.ts";
import { parkedBinder } from "./parked_binder.ts";
import {
  formatSpecAddress,
  requireDistinct,
  type SocketSpec,
} from "../shared/socket_spec.ts";
import { forgetPath, freePath, notePath, removePath } from "./unix_path.ts";
import { UsageError } from "../shared/verb.ts";

/** Sockets that are bound, and held until they are closed. */
export interface HeldSockets extends Omit<Bound, "close"> {
  /** What was asked for, in order. */
  readonly specs: readonly SocketSpec[];
  /** Closes them, and removes the paths. */
  close(): Promise<void>;
  /** Closes them, and leaves the paths to whoever was handed them. */
  release(): Promise<void>;
}

/** How {@linkcode bindSockets} binds. */
export interface BindOptions {
  /** The folder that relative paths are taken from. */
  readonly cwd?: string;
  /** Whether connections will be accepted here. */
  readonly willAccept?: boolean;
  /** What binds them; the best that there is by default. */
  readonly binder?: Binder;
}

/** The longest path or name of a Unix socket, in bytes. */
const PATH_BYTES = process.platform === "linux" ? 107 : 103;

/**
 * The best binder that there is on this runtime.
 *
 * @param calls The calls of the C library, where they can be made.
 * @throws {UsageError} On Deno without them: it tells no descriptors.
 */
export function bestBinder(
  calls: SocketCalls | undefined = openSocketCalls(),
): Binder {
  if (calls !== undefined) return libcBinder(calls);
  if (currentPlatform().name !== "deno") return parkedBinder();
  throw new UsageError(
    "Binding sockets: Deno can't call the C library here: run it with -A, on " +
      "Linux on x86_64 or arm64, or use Node or Bun",
  );
}

/**
 * Binds sockets.
 *
 * @param specs The sockets.
 * @param options How to bind them.
 * @returns The sockets, from which nothing was accepted.
 * @throws {UsageError} If one can't be bound; then none is.
 */
export async function bindSockets(
  specs: readonly SocketSpec[],
  options: BindOptions = {},
): Promise<HeldSockets> {
  const { cwd = process.cwd(), willAccept = false } = options;
  const binder = options.binder ?? bestBinder();
  const resolved: SocketSpec[] = [];
  for (const spec of specs) resolved.push(await resolve(spec, cwd));
  requireDistinct(resolved, path.resolve);
  const files: string[] = [];
  for (const spec of resolved) files.push(...await preparePath(spec));
  let bound: Bound;
  try {
    bound = await binder.bind(resolved, willAccept);
  } catch (error) {
    if (!(error instanceof BindFailure)) throw error;
    throw explain(resolved[error.index]!, error);
  }
  for (const file of files) notePath(file);
  const links = resolved.flatMap(makeLinks);
  return {
    ...bound,
    specs,
    async close() {
      await bound.close();
      for (const link of links) fs.rmSync(link, { force: true });
      const kept = resolved.flatMap((spec) =>
        spec.options?.keepPath === true ? fileOf(spec) ?? [] : []
      );
      for (const file of files) if (!kept.includes(file)) removePath(file);
    },
    async release() {
      await bound.close();
      for (const file of files) forgetPath(file);
    },
  };
}

/** What is being done, to begin an error's message with. */
function doing({ name, address }: SocketSpec): string {
  return `Binding ${quote(name)} to ${quote(formatSpecAddress(address))}`;
}

/** The path that a socket leaves in the file system. */
function fileOf({ address }: SocketSpec): string | undefined {
  return "path" in address &&
      (address.kind === "fifo" || !address.path.startsWith("@"))
    ? path.resolve(address.path)
    : undefined;
}

async function resolve(spec: SocketSpec, cwd: string): Promise<SocketSpec> {
  const { address } = spec;
  if ("path" in address) {
    if (address.path.startsWith("@") && address.kind !== "fifo") return spec;
    // As it was given where that means the same: it may be much shorter.
    const absolute = path.resolve(cwd, address.path);
    const same = path.resolve(address.path) === absolute;
    return same ? spec : { ...spec, address: { ...address, path: absolute } };
  }
  const [host] = address.hostname.split("%") as [string];
  if (net.isIP(host) !== 0) return spec;
  try {
    const found = await dns.lookup(host);
    return { ...spec, address: { ...address, hostname: found.address } };
  } catch (cause) {
    throw new UsageError(
      `${doing(spec)}: the host ${quote(host)} isn't known: use a numeric ` +
        `address, such as 127.0.0.1`,
      { cause },
    );
  }
}

/** Makes way for a path, and returns it if it will be made. */
async function preparePath(spec: SocketSpec): Promise<string[]> {
  const { address, options } = spec;
  if (!("path" in address)) return [];
  const bytes = new TextEncoder().encode(address.path).length;
  if (address.kind !== "fifo" && bytes > PATH_BYTES) {
    throw new UsageError(
      `${doing(spec)}: expected a path of at most ${PATH_BYTES} bytes, found ` +
        `${bytes}: use a shorter one, or a relative one`,
    );
  }
  const file = fileOf(spec);
  if (file === undefined) return [];
  const folder = path.dirname(file);
  if (options?.directoryMode !== undefined) {
    fs.mkdirSync(folder, { recursive: true, mode: options.directoryMode });
  } else if (!fs.existsSync(folder)) {
    throw new UsageError(
      `${doing(spec)}: there is no folder ${quote(folder)}: make it first`,
    );
  }
  for (const link of options?.symlinks ?? []) freeLink(link, file, doing(spec));
  return await freePath(file, doing(spec), address.kind === "fifo")
    ? [file]
    : [];
}

/** Makes way for a link: one that leads to the path already is made again. */
function freeLink(link: string, file: string, doing: string): void {
  let target: string;
  try {
    target = fs.readlinkSync(link);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    target = "";
  }
  if (target !== file) {
    throw new UsageError(
      `${doing}: there is something at ${quote(link)}, where a link is to be ` +
        `made: it is left alone; remove it, or use another path`,
    );
  }
  fs.rmSync(link);
}

function explain(spec: SocketSpec, cause: BindFailure): UsageError {
  const { address } = spec;
  const isPort = "port" in address;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: "the address is in use: end the program that has it, or use " +
      "another one",
    EACCES: isPort
      ? `no permission for port ${address.port}: use one from 1024 on, or ` +
        `start it as root`
      : "no permission to make a socket in this folder: use another path",
    EADDRNOTAVAIL: "this machine doesn't have the address: use one of its own",
    EAFNOSUPPORT: "this machine doesn't know this kind of address: use another",
    ENODEV: "there is no such network interface: see `ip link`",
    EINVAL: "the system refused the address (EINVAL): use another one",
  };
  const reason = reasons[cause.code === "EPERM" ? "EACCES" : cause.code] ??
    `the system refused it (${cause.code}): use another address`;
  return new UsageError(`${doing(spec)}: ${reason}`, { cause });
}

/** Makes the links that lead to a path. */
function makeLinks(spec: SocketSpec): readonly string[] {
  const links = spec.options?.symlinks ?? [];
  for (const link of links) fs.symlinkSync(fileOf(spec)!, link);
  return links;
}
