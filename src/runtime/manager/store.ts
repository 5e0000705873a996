/**
 * Messages of the file descriptor store, see `sd_pid_notify_with_fds(3)`.
 *
 * @module
 */

import { ActivationError, quote } from "../../core/errors.ts";
import { isSystemdName } from "../../core/listen_address.ts";
import { escapeBackslashes } from "../../core/systemd/notify_message.ts";
import type { Platform } from "../platform.ts";

/** Returns the message that stores descriptors under a name. */
export function storeMessage(
  name: string,
  { poll = true }: { readonly poll?: boolean },
  action: string,
): string {
  requireStoreName(name, action);
  return `FDSTORE=1\nFDNAME=${escapeBackslashes(name)}${
    poll ? "" : "\nFDPOLL=0"
  }`;
}

/** Returns the message that removes the descriptors of a name. */
export function removeStoredMessage(name: string, action: string): string {
  requireStoreName(name, action);
  return `FDSTOREREMOVE=1\nFDNAME=${escapeBackslashes(name)}`;
}

function requireStoreName(name: unknown, action: string): void {
  if (typeof name === "string" && isSystemdName(name)) return;
  throw new RangeError(
    `${action}: expected a name of 1 to 255 printable ASCII characters without a ` +
      `colon, found ${quote(String(name))}`,
  );
}

/** The error of a runtime that can't send descriptors. */
export function missingStore(
  platform: Platform,
  action: string,
): ActivationError {
  const missing = platform.adoptionLibc();
  const isDenied = "reason" in missing && missing.isDenied;
  return new ActivationError(
    isDenied ? "permission" : "unsupported",
    `${action}: ` +
      (isDenied
        ? missing.reason
        : `${platform.title} ${platform.version} can't send descriptors to the ` +
          `service manager: use Node 26 or later, Deno with --allow-ffi, or Bun`),
  );
}
