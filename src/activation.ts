/**
 * The activation of this process: read once, then remembered.
 *
 * @module
 */

import { Activation } from "./core/activation.ts";
import { namesFromMap, readMap } from "./core/name_map.ts";
import { Descriptor } from "./core/descriptor.ts";
import { checkExpectations, readExpectations } from "./core/expectations.ts";
import { requireOptions } from "./core/errors.ts";
import {
  LISTEN_FDS_START,
  type ListenEnvironment,
  type ListenVariables,
  parseListenEnvironment,
} from "./core/environment.ts";
import {
  PARENT_VARIABLE,
  variablesFromParent,
} from "./core/systemd/pass_on.ts";
import type { ActivationOptions, InactiveReason } from "./core/types.ts";
import {
  explainClusterWorker,
  explainEarlier,
  explainInactive,
  explainNotifyOnly,
  explainWorker,
} from "./inactive.ts";
import { isMainThread, processGlobal } from "./runtime/builtin.ts";
import { currentPlatform } from "./runtime/current.ts";
import { once, passedOnDescriptors } from "./runtime/descriptors.ts";
import { parkedListeners } from "./runtime/leftovers.ts";
import { announceServing } from "./service/readiness.ts";
import { managerState } from "./runtime/manager/state.ts";
import { hasManager, isNotifyDescriptor } from "./runtime/manager/variables.ts";
import type { Platform } from "./runtime/platform.ts";

/**
 * The property of the global object that remembers the outcome. One program can
 * hold this library twice (as ES module and CommonJS, or in two versions), and
 * only the first finds the variables.
 */
const REMEMBERED: unique symbol = Symbol.for(
  "listenfds.activation.v1",
) as never;

/**
 * Reads which descriptors the service manager passed to this process.
 *
 * Removes the variables of the protocol from the environment, so that children
 * don't read them. `LISTEN_PID` stays in an activated process, so that a program
 * that is evaluated again in the same process learns that the descriptors were
 * passed before. The result is remembered: each later call returns the same
 * object, and uses the option `expect` only.
 *
 * @param options How to read the environment.
 * @returns The activation; `null` if there is none, of which
 * {@linkcode inactiveReason} returns the reason. A program then binds its sockets
 * itself, unless the kind of the reason is `activated-before` or `worker`: this
 * process serves them elsewhere.
 * @throws {SyntaxError | RangeError} If a variable is malformed.
 * @throws {TypeError} If `map` or `expect` is malformed.
 * @throws {ActivationError} With the code `name-count` if the number of names
 * isn't that of the descriptors; `unmapped` if the map doesn't name each
 * descriptor; `unexpected-kinds` if a descriptor is missing or has another kind
 * than `expect` requires, and then nothing is claimed; or `permission` if Deno
 * denied access to the environment.
 *
 * @example
 * ```ts
 * import { activation } from "@listenfds/listenfds";
 *
 * const activated = activation();
 * console.log(activated === null ? "started by hand" : activated.names);
 * ```
 */
export function activation(options: ActivationOptions = {}): Activation | null {
  requireOptions(options, "Reading the activation");
  // Check also without an activation, so that a mistake shows in development.
  if (options.map !== undefined) readMap(options.map);
  if (options.expect !== undefined) readExpectations(options.expect);
  const outcome = remembered(options);
  if (outcome.kind === "failed") throw outcome.error;
  if (outcome.kind === "inactive") return null;
  if (options.expect !== undefined) {
    checkExpectations(outcome.activation, options.expect);
  }
  return outcome.activation;
}

/**
 * Explains why {@linkcode activation} returns `null`.
 *
 * @returns The reason; `undefined` if there is an activation, or reading it
 * failed.
 *
 * @example
 * ```ts
 * import { activation, inactiveReason } from "@listenfds/listenfds";
 *
 * if (activation() === null) console.error(inactiveReason()?.message);
 * ```
 */
export function inactiveReason(): InactiveReason | undefined {
  const outcome = remembered({});
  return outcome.kind === "inactive" ? outcome.reason : undefined;
}

function remembered(
  options: ActivationOptions,
): ReturnType<typeof readOutcome> {
  const store = globalThis as {
    [REMEMBERED]?: ReturnType<typeof readOutcome>;
  };
  return store[REMEMBERED] ??= readOutcome(currentPlatform(), options);
}

function readOutcome(platform: Platform, options: ActivationOptions) {
  const { pid } = platform;
  const isWorker = !isMainThread();
  let isActivated = false;
  try {
    const given = platform.readVariables();
    const passedOn = readPassedOn(platform, given);
    const variables = passedOn ?? given;
    const environment = parseListenEnvironment(variables, {
      pid,
      get pidfdId() {
        return platform.pidfdId();
      },
    });
    // LISTEN_PID alone is left by an earlier evaluation in this process.
    const wasActivated = environment.kind === "absent" &&
      environment.missing === "LISTEN_FDS" &&
      variables.LISTEN_PID === String(pid);
    isActivated = wasActivated || environment.kind === "activated";
    // One owner for the descriptors of a process: its main thread.
    if (isWorker && (isActivated || wasStartedActivated(platform))) {
      return { kind: "inactive", reason: explainWorker(pid) } as const;
    }
    if (wasActivated) {
      return { kind: "inactive", reason: explainEarlier(pid) } as const;
    }
    if (environment.kind !== "activated") {
      const reason = explainClusterWorker(pid, variables) ??
        explainInactive(platform, environment);
      return { kind: "inactive", reason } as const;
    }
    const activation = createActivation(platform, environment, options);
    if (activation === undefined) {
      isActivated = false;
      return { kind: "inactive", reason: explainNotifyOnly(pid) } as const;
    }
    // The parent alone is the process that the service manager listens to.
    if (passedOn !== undefined) {
      managerState().isAutomatic = false;
      for (const descriptor of activation.descriptors) {
        passedOnDescriptors.add(descriptor);
      }
    }
    // Also for a program that claims the descriptors, and serves them itself.
    announceServing(activation);
    return { kind: "activated", activation } as const;
  } catch (error) {
    return { kind: "failed", error } as const;
  } finally {
    // The variables of a worker thread may be those of the main thread, which
    // reads them later.
    if (options.keepEnvironment !== true && !isWorker) {
      platform.clearVariables(isActivated ? ["LISTEN_PID"] : []);
    }
  }
}

/**
 * The most descriptors that a process can hold: `fs.nr_open` of Linux, unless
 * raised by hand. It bounds the work for a number that can't be true.
 */
export const MAX_COUNT: number = 1024 * 1024;

/** Reads the variables of a parent that has passed its descriptors on. */
function readPassedOn(
  platform: Platform,
  variables: ListenVariables,
): ListenVariables | undefined {
  const ids = {
    pid: platform.pid,
    // Read late: Deno creates `process` at the first access.
    get ppid(): number {
      return processGlobal()?.ppid ?? 0;
    },
  };
  const passed = variablesFromParent(variables, ids, () => {
    try {
      return platform.readVariable(PARENT_VARIABLE);
    } catch {
      // Deno denies access: no parent that passes descriptors on would start this.
      return undefined;
    }
  });
  // A worker thread may have the variables of the main thread, which reads them.
  if (passed !== undefined && isMainThread()) {
    platform.removeVariable(PARENT_VARIABLE);
  }
  return passed;
}

function createActivation(
  platform: Platform,
  environment: ListenEnvironment & { kind: "activated" },
  { map }: ActivationOptions,
): Activation | undefined {
  const { count } = environment;
  const { inspector } = platform;
  if (count > MAX_COUNT) {
    throw new RangeError(
      `Reading LISTEN_FDS: expected no more descriptors than a process can ` +
        `hold (${MAX_COUNT}), found ${count}: the variables are to be set by ` +
        `the service manager alone`,
    );
  }
  const fds = Array.from(
    { length: count },
    (_, index) => LISTEN_FDS_START + index,
  );
  // First, because the runtime may reuse the number of a descriptor not passed.
  const isOpen = fds.map((fd) => platform.setCloseOnExec(fd));
  const names = environment.names ??
    (map === undefined
      ? fds.map(() => "unknown")
      : namesFromMap(fds, map, inspector));
  const descriptors = fds.map((fd, index) => {
    const descriptor = new Descriptor(fd, names[index]!, inspector);
    if (!isOpen[index]) descriptor.markClosed();
    return descriptor;
  });
  const firstOwnFd = once(() => findFirstOwnFd(platform, descriptors));
  const passed = withoutNotifyDescriptor(platform, descriptors);
  if (passed.length === 0) return undefined;
  return new Activation(passed, (fd) => {
    if (fd >= firstOwnFd()) return false;
    const parked = parkedListeners.get(descriptors[fd - LISTEN_FDS_START]!);
    if (parked === undefined) return platform.close(fd);
    parked.close();
    return true;
  }, platform.pid);
}

/**
 * Takes the socket that `OpenFile=` has connected to the service manager, which
 * messages to it are written to.
 *
 * @returns The other descriptors.
 */
function withoutNotifyDescriptor(
  platform: Platform,
  descriptors: readonly Descriptor[],
): readonly Descriptor[] {
  const found = descriptors.find((descriptor) =>
    isNotifyDescriptor(descriptor.name, () => descriptor.info)
  );
  if (found === undefined || !hasManager(platform)) return descriptors;
  managerState().notifyFd = found.fd;
  return descriptors.filter((descriptor) => descriptor !== found);
}

/** Finds the first number that the runtime itself got, if any was announced. */
function findFirstOwnFd(
  platform: Platform,
  descriptors: readonly Descriptor[],
): number {
  const infos = Descriptor.inspectAll(descriptors);
  const index = infos.findIndex((info, index) =>
    info.kind !== "closed" &&
    platform.isEventQueue(descriptors[index]!.fd, info)
  );
  return descriptors[index]?.fd ?? Infinity;
}

/**
 * Whether the process was activated when it started, although this thread has
 * other variables: `new Worker()` takes an environment.
 */
function wasStartedActivated(platform: Platform): boolean {
  const initial = platform.initialEnvironment() ?? [];
  return initial.includes(`LISTEN_PID=${platform.pid}`) &&
    initial.some((word) => word.startsWith("LISTEN_FDS="));
}
