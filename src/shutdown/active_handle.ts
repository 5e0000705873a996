/**
 * Handles that prevent an exit on idle: of listeners, whose connections only the
 * program knows, and of calls that are still opening a listener or server.
 *
 * @module
 */

const handles = new Set<ActiveHandle>();

/** Whether a handle prevents an exit on idle. */
export function hasActiveHandles(): boolean {
  for (const handle of handles) if (handle.isActive()) return true;
  return false;
}

/** Prevents an exit on idle until it is closed. */
export class ActiveHandle {
  readonly #hasConnections: () => boolean;
  #isClosed = false;
  #isReferenced = true;

  /** @param hasConnections Whether an accepted connection is open. */
  constructor(hasConnections: () => boolean = () => false) {
    this.#hasConnections = hasConnections;
    handles.add(this);
  }

  isActive(): boolean {
    if (!this.#isClosed && this.#isReferenced) return true;
    const isActive = this.#hasConnections();
    if (this.#isClosed && !isActive) handles.delete(this);
    return isActive;
  }

  ref(): void {
    this.#isReferenced = true;
  }

  unref(): void {
    this.#isReferenced = false;
  }

  /** Closes the handle; open connections still prevent the exit. */
  close(): void {
    this.#isClosed = true;
    this.isActive();
  }
}

/** The methods of a runtime's listener that each method of a handle follows. */
const METHODS = {
  close: ["close", "stop", Symbol.dispose],
  unref: ["unref"],
  ref: ["ref"],
} as const;

/**
 * Prevents an exit on idle while a listener of a runtime is open and referenced,
 * and while its connections are open.
 *
 * @returns The same listener, with its methods wrapped.
 */
export function trackListener<T extends object>(
  listener: T,
  hasConnections?: () => boolean,
): T {
  const handle = new ActiveHandle(hasConnections);
  for (const effect of ["close", "unref", "ref"] as const) {
    for (const name of METHODS[effect]) {
      const method: unknown = Reflect.get(listener, name);
      if (typeof method !== "function") continue;
      Object.defineProperty(listener, name, {
        configurable: true,
        writable: true,
        value(...args: unknown[]) {
          handle[effect]();
          return method.apply(listener, args);
        },
      });
    }
  }
  return listener;
}
