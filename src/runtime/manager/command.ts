/**
 * Notifying the service manager by `systemd-notify(1)`, where the runtime can't
 * send datagrams to a Unix socket.
 *
 * @module
 */

import { ActivationError, quote } from "../../core/errors.ts";
import { builtin, processGlobal } from "../builtin.ts";
import { listenError } from "../errors.ts";

/**
 * Sends a message, and waits until the service manager has processed it.
 *
 * @param address The value of `NOTIFY_SOCKET`.
 */
export async function runSystemdNotify(
  message: string,
  address: string,
  action: string,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let child: ReturnType<typeof spawnNotify>;
  try {
    child = spawnNotify(message, address);
  } catch (error) {
    // Node's permission model throws.
    throw listenError(error, action);
  }
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text) => errors += text);
  child.on("error", (error) => {
    reject(
      (error as NodeJS.ErrnoException).code === "ENOENT"
        ? missingCommand(action)
        : listenError(error, action),
    );
  });
  child.on("close", (status) => {
    if (status === 0) resolve();
    else reject(failedCommand(errors, status, action));
  });
  await promise;
}

function spawnNotify(message: string, address: string) {
  const { env } = processGlobal()!;
  return builtin("node:child_process").spawn(
    "systemd-notify",
    message.split("\n"),
    {
      env: { ...env, NOTIFY_SOCKET: address },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
}

function missingCommand(action: string): ActivationError {
  return new ActivationError(
    "unsupported",
    `${action}: this version of Node has no FFI, and systemd-notify is not ` +
      `installed: use Node 26 or later, or set ` +
      `OpenFile=/run/systemd/notify:notify in the service unit (systemd 253)`,
  );
}

function failedCommand(
  errors: string,
  status: number | null,
  action: string,
): ActivationError {
  const line = errors.trim().split("\n").at(-1);
  return new ActivationError(
    "system",
    `${action}: systemd-notify ended with ${status ?? "a signal"}` +
      (line ? `: ${quote(line)}` : ""),
  );
}
