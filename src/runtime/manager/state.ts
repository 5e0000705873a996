/**
 * The state of notifying the service manager that a process has once, also where
 * a program is evaluated again, or has the library twice.
 *
 * @module
 */

/** A socket that this process has bound, and that the service manager stores. */
export interface StoredSocket {
  readonly name: string;
  /** Identifies the fallback. */
  readonly key: string;
  /** A duplicate that no server has. */
  readonly fd: number;
  /** Closes the duplicate. */
  close(): void;
}

/** The state. */
export interface ManagerState {
  /**
   * The values of the variables, if they were removed from the environment.
   */
  variables?: Readonly<Record<string, string | undefined>>;
  /**
   * The descriptor that `OpenFile=` connected to the service manager's socket.
   */
  notifyFd?: number;
  /** Members of notifications that the program sends itself. */
  readonly explicit: Set<string>;
  /** `false` after the option `notify: false` of a server. */
  isAutomatic: boolean;
  /** Whether `READY=1` was sent. */
  isReady: boolean;
  /** Whether `READY=1` is to be sent without a call of the program. */
  isWaiting?: boolean;
  /** The watchdog's time in milliseconds, if the program has set one. */
  watchdogMs?: number;
  /** The sockets that are stored, and whose addresses therefore stay bound. */
  readonly storedSockets: Set<StoredSocket>;
}

const STATE: unique symbol = Symbol.for("listenfds.manager.v1") as never;

/** Returns the state of this process. */
export function managerState(): ManagerState {
  const store = globalThis as { [STATE]?: ManagerState };
  return store[STATE] ??= {
    explicit: new Set(),
    isAutomatic: true,
    isReady: false,
    storedSockets: new Set(),
  };
}
