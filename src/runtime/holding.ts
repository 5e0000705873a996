/**
 * Listeners that keep a process from ending for idleness: only who accepts from
 * them knows what goes on there.
 *
 * @module
 */

/** Those that are open. */
const holding = new Set<object>();

/** Whether one of them is open, and not unref'd. */
export function isHeld(): boolean {
  return holding.size > 0;
}

/** Methods that end a listener, of any runtime. */
const ENDING = ["close", "stop", Symbol.dispose] as const;

/**
 * Notes a listener until it is closed, or for as long as it is to keep the
 * process.
 *
 * @param listener A listener or socket, of this library or of a runtime.
 * @returns The same.
 */
export function holdWhileOpen<T extends object>(listener: T): T {
  let isClosed = false;
  holding.add(listener);
  const before = (name: PropertyKey, note: () => void) => {
    const method: unknown = Reflect.get(listener, name);
    if (typeof method !== "function") return;
    Object.defineProperty(listener, name, {
      configurable: true,
      writable: true,
      value(...args: unknown[]) {
        note();
        return method.apply(listener, args);
      },
    });
  };
  for (const name of ENDING) {
    before(name, () => {
      isClosed = true;
      holding.delete(listener);
    });
  }
  before("unref", () => void holding.delete(listener));
  before("ref", () => {
    if (!isClosed) holding.add(listener);
  });
  return listener;
}
