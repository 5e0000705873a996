/**
 * Sending messages to the service manager, in the first of three ways that this
 * process has: through the C library, on a descriptor that the unit has opened,
 * or by `systemd-notify(1)`.
 *
 * @module
 */

import { ActivationError } from "../../core/errors.ts";
import {
  type NotifySocket,
  parseNotifySocket,
} from "../../core/systemd/notify_socket.ts";
import { EAFNOSUPPORT, EAGAIN, EINTR, ETIMEDOUT } from "../../ffi/constants.ts";
import { LibcError } from "../../ffi/descriptor_calls.ts";
import { type MessageCalls, openMessageCalls } from "../../ffi/messages.ts";
import { sendToSocket } from "../../linux/manager_socket.ts";
import { builtin, processGlobal } from "../builtin.ts";
import { listenError } from "../errors.ts";
import type { Platform } from "../platform.ts";
import { delay } from "../timers.ts";
import { runSystemdNotify } from "./command.ts";
import { findNotifyFd, readNotifyVariable } from "./variables.ts";

/** The time that the service manager has to take a message out of its queue. */
const SEND_TIMEOUT_MS = 5000;
/** The interval of trying again, and the longest one. */
const MIN_RETRY_MS = 1;
const MAX_RETRY_MS = 50;

/** What to do where the service manager can't be reached. */
const MANAGER_REMEDY =
  "check that the service manager runs, and that NOTIFY_SOCKET is its socket";

/** How messages are sent; `none` has the error that says what is missing. */
type SendWay =
  | { readonly kind: "ffi"; readonly calls: MessageCalls }
  | { readonly kind: "descriptor"; readonly fd: number }
  | { readonly kind: "command" }
  | {
    readonly kind: "none";
    readonly fail: (action: string) => ActivationError;
  };

/** The service manager that a process was started by. */
export class Manager {
  readonly #platform: Platform;
  readonly #address: string;
  readonly #socket: NotifySocket;
  #way: SendWay | undefined;
  /** The end of the last `systemd-notify`, because messages keep their order. */
  #lastCommand: Promise<void> = Promise.resolve();
  /** The end of the last message that waits for room, for the same reason. */
  #lastWaiting: Promise<void> | undefined;

  /** @throws {SyntaxError | RangeError} If the address is malformed. */
  constructor(platform: Platform, address: string, action: string) {
    this.#platform = platform;
    this.#address = address;
    this.#socket = parseNotifySocket(address, action);
  }

  /**
   * Sends a message, in the order of the calls.
   *
   * @param fds Descriptors that the service manager gets duplicates of.
   * @throws {ActivationError} With the code `permission`, `unsupported` or
   * `system`.
   */
  async send(
    message: string,
    action: string,
    fds: readonly number[] = [],
  ): Promise<void> {
    const way = this.#findWay();
    if (fds.length > 0 && way.kind !== "ffi") {
      throw way.kind === "none" ? way.fail(action) : noDescriptors(action);
    }
    // The kernel ignores them there, and the service manager would store nothing.
    if (fds.length > 0 && this.#socket.kind === "vsock") {
      throw new ActivationError(
        "unsupported",
        `${action}: NOTIFY_SOCKET is a vsock, which takes no descriptors: run the ` +
          `service under the service manager of its own machine`,
      );
    }
    switch (way.kind) {
      case "ffi":
        return await this.#sendInOrder(
          () => trySend(way.calls, this.#socket, message, fds, action),
          action,
        );
      case "descriptor":
        return await this.#sendInOrder(
          () => tryWrite(way.fd, message, action),
          action,
        );
      case "command":
        return await this.#runCommand(message, action);
      case "none":
        throw way.fail(action);
    }
  }

  /**
   * Waits until the service manager has processed all earlier messages.
   *
   * @throws {ActivationError} As {@linkcode send}; `system` after the time.
   */
  async barrier(timeoutMs: number, action: string): Promise<void> {
    const way = this.#findWay();
    // systemd-notify waits for a barrier itself, since systemd 246.
    if (way.kind === "command") {
      return await this.#runCommand("X_LISTENFDS=1", action);
    }
    if (way.kind === "none") throw way.fail(action);
    if (way.kind === "descriptor") throw noDescriptors(action);
    const { calls } = way;
    const { readFd, writeFd } = calls.createPipe();
    try {
      try {
        await this.send("BARRIER=1", action, [writeFd]);
      } finally {
        calls.close(writeFd);
      }
      // The service manager closes its duplicate when it is done.
      const isDone = await poll(() => calls.isHungUp(readFd), timeoutMs);
      if (!isDone) throw timedOut(timeoutMs, action);
    } finally {
      calls.close(readFd);
    }
  }

  /** Reads `CLOCK_MONOTONIC` in microseconds. */
  readonly monotonicUsec = (): bigint => {
    const way = this.#findWay();
    return way.kind === "ffi"
      ? way.calls.monotonicUsec()
      : processGlobal()!.hrtime.bigint() / 1000n;
  };

  /** Looks again while there is none, because Deno may be given permissions. */
  #findWay(): SendWay {
    if (this.#way === undefined || this.#way.kind === "none") {
      this.#way = findSendWay(this.#platform);
    }
    return this.#way;
  }

  /** Sends at once, or as soon as there is room and the messages before are sent. */
  async #sendInOrder(attempt: () => boolean, action: string): Promise<void> {
    const previous = this.#lastWaiting;
    if (previous === undefined && attempt()) return;
    const endMs = performance.now() + SEND_TIMEOUT_MS;
    const send = async () => {
      await previous;
      const isSent = await poll(attempt, endMs - performance.now());
      if (!isSent) throw timedOut(SEND_TIMEOUT_MS, action);
    };
    const result = send();
    const settled = result.catch(() => {}).then(() => {
      if (this.#lastWaiting === settled) this.#lastWaiting = undefined;
    });
    this.#lastWaiting = settled;
    await result;
  }

  #runCommand(message: string, action: string): Promise<void> {
    const run = () => runSystemdNotify(message, this.#address, action);
    const result = this.#lastCommand.then(run);
    this.#lastCommand = result.catch(() => {});
    return result;
  }
}

function findSendWay(platform: Platform): SendWay {
  // Not to open it at once: Deno would ask for the permission.
  const calls = platform.libc() && openMessageCalls();
  if (calls !== undefined) return { kind: "ffi", calls };
  if (platform.fsTakesDescriptors) {
    const notifyFd = findNotifyFd(platform);
    return notifyFd === undefined
      ? { kind: "command" }
      : { kind: "descriptor", fd: notifyFd };
  }
  const missing = platform.adoptionLibc();
  const { reason, isDenied } = "reason" in missing
    ? missing
    : { reason: "the C library lacks a function", isDenied: false };
  return {
    kind: "none",
    fail: (action) =>
      new ActivationError(
        isDenied ? "permission" : "unsupported",
        `${action}: ${reason}`,
      ),
  };
}

/** Sends on a socket of its own; `false` if there is no room. */
function trySend(
  calls: MessageCalls,
  socket: NotifySocket,
  message: string,
  fds: readonly number[],
  action: string,
): boolean {
  try {
    sendToSocket(calls, socket, message, fds);
    return true;
  } catch (error) {
    if (!(error instanceof LibcError)) throw error;
    const { errno } = error;
    if (errno === EAGAIN || errno === EINTR) return false;
    throw sendError(error, socket, action);
  }
}

/** The error of sending, with what to do if the socket can't be reached. */
function sendError(
  error: LibcError,
  { kind }: NotifySocket,
  action: string,
): ActivationError {
  const { code, message, errno } = listenError(error, action);
  const remedy = error.errno === EAFNOSUPPORT
    ? `: set AF_${kind.toUpperCase()} in RestrictAddressFamilies=`
    : error.call === "connect"
    ? `: ${MANAGER_REMEDY}`
    : "";
  return new ActivationError(code, message + remedy, { cause: error, errno });
}

/** Writes to a descriptor; `false` if there is no room (`NonBlocking=yes`). */
function tryWrite(fd: number, message: string, action: string): boolean {
  try {
    builtin("node:fs").writeSync(fd, message);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return false;
    throw listenError(error, action);
  }
}

/** Tries until a function returns `true`, with growing intervals. */
async function poll(
  attempt: () => boolean,
  timeoutMs: number,
): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  for (
    let wait = MIN_RETRY_MS;
    !attempt();
    wait = Math.min(2 * wait, MAX_RETRY_MS)
  ) {
    const leftMs = end - performance.now();
    if (leftMs <= 0) return false;
    await delay(Math.min(wait, leftMs));
  }
  return true;
}

function timedOut(timeoutMs: number, action: string): ActivationError {
  return new ActivationError(
    "system",
    `${action}: the service manager has not answered in ${timeoutMs} ms: ` +
      MANAGER_REMEDY,
    { errno: ETIMEDOUT },
  );
}

function noDescriptors(action: string): ActivationError {
  return new ActivationError(
    "unsupported",
    `${action}: this runtime can't send a descriptor to the service manager: use ` +
      `Node 26 or later, Deno with --allow-ffi, or Bun`,
  );
}

let opened:
  | { readonly address: string; readonly manager: Manager }
  | undefined;

/**
 * Returns the service manager of this process.
 *
 * @returns `undefined` if none wants to be notified.
 * @throws {SyntaxError | RangeError} If `NOTIFY_SOCKET` is malformed.
 * @throws {ActivationError} With the code `permission` if Deno denies access to
 * the variable.
 */
export function currentManager(
  platform: Platform,
  action: string,
): Manager | undefined {
  const address = readNotifyVariable(platform, "NOTIFY_SOCKET");
  // An empty variable is how a shell script clears one.
  if (!address) return undefined;
  if (opened?.address !== address) {
    opened = { address, manager: new Manager(platform, address, action) };
  }
  return opened.manager;
}
