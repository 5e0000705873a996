/**
 * Storing descriptors in the service manager, so that the next process of the
 * service gets them.
 *
 * @module
 */

import { type Address, fromUnixPath, inetAddress } from "../core/address.ts";
import type { Descriptor } from "../core/descriptor.ts";
import {
  ActivationError,
  describeValue,
  quote,
  requireBooleanOption,
  requireOptions,
} from "../core/errors.ts";
import { EBADF } from "../ffi/constants.ts";
import { findListener } from "../linux/listening_fds.ts";
import { currentPlatform } from "../runtime/current.ts";
import { currentManager } from "../runtime/manager/manager.ts";
import {
  missingStore,
  removeStoredMessage,
  storeMessage,
} from "../runtime/manager/store.ts";
import { forgetStored } from "./stored_sockets.ts";

/** The options of {@linkcode storeDescriptor}. */
export interface StoreOptions {
  /**
   * Whether the service manager removes the descriptor when it reports an error or
   * the end of a connection (`FDPOLL=0` for `false`).
   *
   * @default {true}
   */
  readonly poll?: boolean;
}

/** The time that the service manager has to store a descriptor. */
const BARRIER_MS = 5000;

/**
 * Stores a descriptor in the service manager, which passes it to the next process
 * of the service under the name: `serve`, `listen`, `connection`, `openFile` and
 * `activation` find it there. Several descriptors can have one name. The unit needs
 * `FileDescriptorStoreMax=`. A restart and a crash keep what is stored; stopping the
 * service removes it, unless the unit has `FileDescriptorStorePreserve=yes` (systemd
 * 254).
 *
 * @param name The name, as `FileDescriptorName=` takes it: 1 to 255 printable ASCII
 * characters without a colon.
 * @param target A descriptor or its number, what `openFile` returned, or a listener
 * of this library or of the runtime, whose sockets are all stored.
 * @param options Options for how it is stored.
 * @returns Resolves with `true` when the service manager has received the
 * descriptor, which can then be closed; with `false` if no service manager wants to
 * be notified. It reports nothing if the unit has no room for the descriptor.
 * @throws {TypeError | RangeError} If an argument has another form.
 * @throws {ActivationError} With the code `unsupported` if this runtime can't send
 * descriptors (Node before 26), `permission` on Deno without `--allow-ffi`;
 * `not-open` if the descriptor or listener is closed; or `system` if the operating
 * system refuses.
 *
 * @example
 * ```ts
 * import { storeDescriptor } from "@listenfds/listenfds/notify";
 *
 * await storeDescriptor("state", 7);
 * ```
 */
export async function storeDescriptor(
  name: string,
  target: number | Descriptor | object,
  options: StoreOptions = {},
): Promise<boolean> {
  const action = `Storing ${quote(String(name))}`;
  requireOptions(options, action);
  requireBooleanOption(options.poll, "poll", action);
  const message = storeMessage(name, options, action);
  const platform = currentPlatform();
  const manager = currentManager(platform, action);
  const fds = descriptorsOf(target, action);
  if (manager === undefined) return false;
  for (const fd of fds) {
    try {
      await manager.send(message, action, [fd]);
    } catch (error) {
      if ((error as ActivationError).errno !== EBADF) throw error;
      throw notOpen(`the descriptor ${fd}`, action, error);
    }
  }
  await manager.barrier(BARRIER_MS, action);
  return true;
}

/**
 * Removes the descriptors of a name from the service manager's store. Those that
 * this process has open stay open; the address of a fallback that was stored is
 * free when its server has ended. A path stays: the next fallback that is stored
 * replaces it.
 *
 * @param name The name.
 * @returns Resolves with `true` when the message is sent, and with `false` if no
 * service manager wants to be notified.
 * @throws {RangeError} If the name has another form.
 * @throws {ActivationError} As `notify`.
 *
 * @example
 * ```ts
 * import { removeStored } from "@listenfds/listenfds/notify";
 *
 * await removeStored("state");
 * ```
 */
export async function removeStored(name: string): Promise<boolean> {
  const action = `Removing ${quote(String(name))} from the store`;
  const message = removeStoredMessage(name, action);
  const manager = currentManager(currentPlatform(), action);
  if (manager === undefined) return false;
  await manager.send(message, action);
  forgetStored(name);
  return true;
}

/** Returns the numbers of a descriptor, or of a listener's sockets. */
function descriptorsOf(target: unknown, action: string): number[] {
  if (typeof target === "number") return [requireFd(target, action)];
  // Of a descriptor, also one of another copy of this library, of `openFile()`, or
  // of `Bun.listen`.
  const { fd, info } = Object(target) as Partial<Descriptor>;
  if (typeof fd === "number") {
    // The number of a closed one may belong to another file.
    if (fd === -1 || info?.kind === "closed") {
      throw notOpen("the descriptor", action);
    }
    return [requireFd(fd, action)];
  }
  const addresses = addressesOf(target);
  if (addresses === undefined) {
    throw new TypeError(
      `${action}: expected a descriptor, its number or a listener, found ` +
        describeValue(target),
    );
  }
  if (addresses.length === 0) throw closedListener(action);
  const platform = currentPlatform();
  const libc = platform.libc();
  if (libc === undefined) throw missingStore(platform, action);
  const fds: number[] = [];
  for (const address of addresses) {
    // Several sockets have one address with `ReusePort=yes`.
    const fd = findListener(libc, address, ...fds);
    if (fd === undefined) throw closedListener(action);
    fds.push(fd);
  }
  return fds;
}

/** Returns what can be the number of a descriptor. */
function requireFd(fd: number, action: string): number {
  if (Number.isInteger(fd) && fd >= 0 && fd < 2 ** 31) return fd;
  throw new RangeError(
    `${action}: expected the number of a descriptor, found ${fd}`,
  );
}

function notOpen(
  subject: string,
  action: string,
  cause?: unknown,
): ActivationError {
  return new ActivationError(
    "not-open",
    `${action}: ${subject} is not open: store it before it is closed`,
    { cause },
  );
}

function closedListener(action: string): ActivationError {
  return notOpen("a socket of the listener", action);
}

/** Returns the addresses of a listener, in the form of its runtime. */
function addressesOf(
  target: unknown,
): readonly (Address | undefined)[] | undefined {
  const { addresses, addr, address, port, hostname, unix } = Object(target) as {
    addresses?: unknown;
    addr?: unknown;
    address?: unknown;
    port?: unknown;
    hostname?: unknown;
    unix?: unknown;
  };
  if (Array.isArray(addresses)) return addresses;
  // Of Deno, of node:net, and of Bun.
  const own = addr ??
    (typeof address === "function" ? address.call(target) : address) ??
    unix ?? { port, hostname };
  if (typeof own === "string") return [fromUnixPath(own)];
  const { path, hostname: host, address: ip, port: number } = Object(own);
  if (typeof path === "string") return [fromUnixPath(path)];
  if (typeof number !== "number") return undefined;
  const name = String(ip ?? host);
  // `Bun.listen` before 1.4 tells only the name, which it resolves to this.
  return [inetAddress(name === "localhost" ? "127.0.0.1" : name, number)];
}
