/**
 * Reading the variables of a service manager that wants to be notified.
 *
 * @module
 */

import { Descriptor } from "../../core/descriptor.ts";
import {
  LISTEN_FDS_START,
  type ListenEnvironment,
  parseListenEnvironment,
} from "../../core/environment.ts";
import { NOTIFY_VARIABLES } from "../../core/systemd/notify_socket.ts";
import { ActivationError } from "../../core/errors.ts";
import type { DescriptorInfo } from "../../core/info.ts";
import { isKindUnknown, isSocketInfo } from "../../core/info.ts";
import type { Platform } from "../platform.ts";
import { managerState } from "./state.ts";

/**
 * Reads one of the variables, or what it was before it was removed.
 *
 * @throws {ActivationError} With the code `permission` if Deno denies access.
 */
export function readNotifyVariable(
  platform: Pick<Platform, "readVariable">,
  name: typeof NOTIFY_VARIABLES[number],
): string | undefined {
  const { variables } = managerState();
  return variables === undefined
    ? platform.readVariable(name)
    : variables[name];
}

/**
 * Whether a service manager wants to be notified. Without permission to read the
 * variables, nothing is known of one.
 */
export function hasManager(platform: Pick<Platform, "readVariable">): boolean {
  try {
    return !!readNotifyVariable(platform, "NOTIFY_SOCKET");
  } catch (error) {
    if (error instanceof ActivationError) return false;
    throw error;
  }
}

/** Removes the variables, so that programs which are started don't get them. */
export function removeNotifyVariables(platform: Platform): void {
  const state = managerState();
  state.variables ??= Object.fromEntries(
    NOTIFY_VARIABLES.map((name) => [name, platform.readVariable(name)]),
  );
  for (const name of NOTIFY_VARIABLES) platform.removeVariable(name);
}

/** The name of the descriptor that `OpenFile=/run/systemd/notify:notify` passes. */
export const NOTIFY_DESCRIPTOR = "notify";

/**
 * Whether a descriptor is a socket that `OpenFile=` has connected to the service
 * manager's: a Unix datagram socket that has no address of its own, as one of a
 * socket unit would have.
 */
export function isNotifyDescriptor(
  name: string,
  inspect: () => DescriptorInfo,
): boolean {
  if (name !== NOTIFY_DESCRIPTOR) return false;
  const info = inspect();
  if (isKindUnknown(info)) return true;
  return isSocketInfo(info) && info.kind === "datagram" &&
    info.family === "unix" &&
    (info.address === undefined || info.address.kind === "unix-unnamed");
}

/**
 * Reads which descriptors were passed to this process, and changes nothing.
 *
 * @returns `undefined` if there are none, or if the activation was read before,
 * which removes the variables; `activation()` reports what is malformed.
 */
export function peekPassed(
  platform: Pick<Platform, "pid" | "pidfdId" | "readVariables">,
): ListenEnvironment & { kind: "activated" } | undefined {
  try {
    const environment = parseListenEnvironment(platform.readVariables(), {
      pid: platform.pid,
      get pidfdId() {
        return platform.pidfdId();
      },
    });
    return environment.kind === "activated" ? environment : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Finds the descriptor for notifications, also before the activation is read: a
 * program may send a status before it serves anything.
 */
export function findNotifyFd(platform: Platform): number | undefined {
  const state = managerState();
  if (state.notifyFd !== undefined) return state.notifyFd;
  const descriptors = peekPassed(platform)?.names?.map((name, index) =>
    new Descriptor(LISTEN_FDS_START + index, name, platform.inspector)
  );
  const found = descriptors?.find((descriptor) =>
    isNotifyDescriptor(descriptor.name, () => descriptor.info)
  );
  if (found !== undefined) state.notifyFd = found.fd;
  return state.notifyFd;
}
