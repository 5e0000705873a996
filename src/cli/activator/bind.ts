/**
 * Binds sockets, all or none: resolves host names, checks that paths are free,
 * and explains failures in one line.
 *
 * @module
 */

import dns from "node:dns/promises";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import process from "node:process";
import { quote } from "../../core/errors.ts";
import { openSocketCalls, type SocketCalls } from "../../ffi/sockets.ts";
import { currentPlatform } from "../../runtime/current.ts";
import { describeHolder } from "./address_holder.ts";
import { type Binder, BindFailure, type BoundSockets } from "./binder.ts";
import { libcBinder } from "./libc_binder.ts";
import { parkedBinder } from "./parked_binder.ts";
import {
  formatSocketAddress,
  requireDistinctAddresses,
  type SocketAddress,
  type SocketSpec,
} from "../shared/socket_spec.ts";
import { createLink, freeLink } from "./paths/path_link.ts";
import { BoundPath, freePath } from "./paths/unix_path.ts";
import { Undo } from "./undo.ts";
import { UsageError } from "../shared/verb.ts";

/** Bound sockets with their paths. */
export interface HeldSockets extends Omit<BoundSockets, "close"> {
  /** The requested sockets, in order. */
  readonly specs: readonly SocketSpec[];
  /** Closes the descriptors and removes the paths. */
  close(): Promise<void>;
  /** Closes the descriptors and leaves the paths to other programs. */
  release(): Promise<void>;
}

/** Options of {@linkcode bindSockets}. */
export interface BindOptions {
  /** Base directory of relative paths. */
  readonly cwd?: string;
  /** True if connections will be accepted in this process. */
  readonly willAccept?: boolean;
  /** Default: {@linkcode bestBinder}. */
  readonly binder?: Binder;
}

/** Longest path of a Unix socket in bytes: `sun_path` without its NUL. */
const MAX_PATH_BYTES = process.platform === "linux" ? 107 : 103;

/**
 * Returns the most capable binder on this runtime.
 *
 * @throws {UsageError} On Deno without the C library, because Deno doesn't
 * reveal the descriptors of its sockets.
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
 * Binds sockets without accepting from them.
 *
 * @throws {UsageError} If a socket can't be bound; no socket is bound then.
 */
export async function bindSockets(
  specs: readonly SocketSpec[],
  options: BindOptions = {},
): Promise<HeldSockets> {
  const { cwd = process.cwd(), willAccept = false } = options;
  const binder = options.binder ?? bestBinder();
  const resolved: SocketSpec[] = [];
  for (const spec of specs) resolved.push(await resolveAddress(spec, cwd));
  requireDistinctAddresses(resolved, path.resolve);
  const undo = new Undo();
  try {
    const paths: PreparedPath[] = [];
    for (const spec of resolved) paths.push(...await preparePath(spec, undo));
    const bound = await bindPrepared(binder, resolved, willAccept);
    undo.add(() => bound.close());
    const created = paths.map(({ file, spec }) => {
      const boundPath = new BoundPath(file, bindingAction(spec));
      undo.add(() => boundPath.remove());
      boundPath.createNote(bindingAction(spec));
      return { boundPath, isKept: spec.settings?.keepPath === true };
    });
    const links = resolved.flatMap((spec) => createLinks(spec, undo));
    return {
      ...bound,
      specs,
      async close() {
        await bound.close();
        for (const removeLink of links) removeLink();
        for (const { boundPath, isKept } of created) {
          if (!isKept) boundPath.remove();
        }
      },
      async release() {
        await bound.close();
        for (const { boundPath } of created) boundPath.removeNote();
      },
    };
  } catch (error) {
    await undo.run();
    throw error;
  }
}

async function bindPrepared(
  binder: Binder,
  specs: readonly SocketSpec[],
  willAccept: boolean,
): Promise<BoundSockets> {
  const bound = specs.map(withAbsolutePath);
  try {
    return await binder.bind(bound, willAccept);
  } catch (error) {
    if (!(error instanceof BindFailure)) throw error;
    throw toUsageError(specs[error.index]!, bound[error.index]!, error);
  }
}

/**
 * Makes a path absolute, if it fits: the kernel's list of sockets has paths as
 * they were bound, and the same relative path may be bound in many directories.
 */
function withAbsolutePath(spec: SocketSpec): SocketSpec {
  const absolute = filePathOf(spec);
  return absolute === undefined || byteLength(absolute) > MAX_PATH_BYTES
    ? spec
    : {
      ...spec,
      address: { ...spec.address, path: absolute } as SocketAddress,
    };
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Returns the first words of an error's message. */
function bindingAction({ name, address }: SocketSpec): string {
  return `Binding ${quote(name)} to ${quote(formatSocketAddress(address))}`;
}

/** Returns the path that a socket occupies in the file system. */
function filePathOf({ address }: SocketSpec): string | undefined {
  return "path" in address &&
      (address.kind === "fifo" || !address.path.startsWith("@"))
    ? path.resolve(address.path)
    : undefined;
}

async function resolveAddress(
  spec: SocketSpec,
  cwd: string,
): Promise<SocketSpec> {
  const { address } = spec;
  if ("path" in address) {
    if (address.path.startsWith("@") && address.kind !== "fifo") return spec;
    // A relative path stays where it means the same, because it may be shorter.
    const absolute = path.resolve(cwd, address.path);
    const same = path.resolve(address.path) === absolute;
    return same ? spec : { ...spec, address: { ...address, path: absolute } };
  }
  const [host] = address.hostname.split("%") as [string];
  if (net.isIP(host) !== 0) return spec;
  try {
    const { address: hostname } = await dns.lookup(host);
    return { ...spec, address: { ...address, hostname } };
  } catch (cause) {
    throw new UsageError(
      `${bindingAction(spec)}: the host ${
        quote(host)
      } isn't known: use a numeric ` +
        `address, such as 127.0.0.1`,
      { cause },
    );
  }
}

/** A path that binding will create. */
interface PreparedPath {
  readonly file: string;
  readonly spec: SocketSpec;
}

/** Checks and frees a path; returns it if binding will create it. */
async function preparePath(
  spec: SocketSpec,
  undo: Undo,
): Promise<PreparedPath[]> {
  const { address, settings } = spec;
  if (!("path" in address)) return [];
  const bytes = byteLength(address.path);
  if (address.kind !== "fifo" && bytes > MAX_PATH_BYTES) {
    throw new UsageError(
      `${
        bindingAction(spec)
      }: expected a path of at most ${MAX_PATH_BYTES} bytes, found ` +
        `${bytes}: use a shorter path, or a relative one`,
    );
  }
  const file = filePathOf(spec);
  if (file === undefined) return [];
  const directory = path.dirname(file);
  if (settings?.directoryMode !== undefined) {
    createDirectories(directory, settings.directoryMode, spec, undo);
  } else if (!fs.existsSync(directory)) {
    throw new UsageError(
      `${bindingAction(spec)}: there is no directory ` +
        `${quote(directory)}: create it first`,
    );
  }
  for (const link of settings?.symlinks ?? []) {
    freeLink(link, file, bindingAction(spec));
  }
  return await freePath(file, bindingAction(spec), address.kind === "fifo")
    ? [{ file, spec }]
    : [];
}

/** Creates missing directories of a path. */
function createDirectories(
  directory: string,
  mode: number,
  spec: SocketSpec,
  undo: Undo,
): void {
  try {
    const first = fs.mkdirSync(directory, { recursive: true, mode });
    if (first === undefined) return;
    undo.add(() => {
      // Fails where another program has put something into a directory.
      for (
        let created = directory;
        created.length >= first.length;
        created = path.dirname(created)
      ) fs.rmdirSync(created);
    });
  } catch (cause) {
    throw new UsageError(
      `${bindingAction(spec)}: creating the directory ${quote(directory)} ` +
        `failed (${(cause as NodeJS.ErrnoException).code}): use another path`,
      { cause },
    );
  }
}

function toUsageError(
  spec: SocketSpec,
  { address }: SocketSpec,
  cause: BindFailure,
): UsageError {
  const isPort = "port" in address;
  const holder = cause.code === "EADDRINUSE"
    ? describeHolder(address)
    : undefined;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `the address is in use${
      holder === undefined ? "" : ` by ${holder}`
    }: end the program that uses it, or use another address`,
    EACCES: isPort
      ? `no permission for port ${address.port}: use a port from 1024 on, or ` +
        `run as root`
      : "no permission to create a socket in this directory: use another path",
    EADDRNOTAVAIL: "this machine doesn't have the address: use one of its " +
      "addresses",
    EAFNOSUPPORT: "this machine doesn't support this family: use another " +
      "address",
    EEXIST: "there is a FIFO of another user or with other permissions: " +
      "remove it, or use another path",
    ENODEV: "there is no such network interface: see `ip link`",
    EINVAL: "the system refused the address (EINVAL): use another address",
  };
  const reason = reasons[cause.code === "EPERM" ? "EACCES" : cause.code] ??
    `the system refused it (${cause.code}): use another address`;
  return new UsageError(`${bindingAction(spec)}: ${reason}`, { cause });
}

/** Creates the symbolic links to a path; returns what removes each. */
function createLinks(spec: SocketSpec, undo: Undo): (() => void)[] {
  return (spec.settings?.symlinks ?? []).map((link) => {
    // As systemd does it.
    const mode = spec.settings?.directoryMode ?? 0o755;
    createDirectories(path.dirname(link), mode, spec, undo);
    const remove = createLink(link, filePathOf(spec)!, bindingAction(spec));
    undo.add(remove);
    return remove;
  });
}
