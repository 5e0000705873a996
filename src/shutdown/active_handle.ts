/**
 * What keeps a process from ending for idleness beside its servers: listeners,
 * since only who accepts from them knows what goes on there.
 *
 * @module
 */

/** One that keeps it. */
interface Holder {
  /** Whether it listens, or will. */
  isOpen: boolean;
  /** Whether a connection that it accepted is open still. */
  readonly isBusy: () => boolean;
}

const holders = new Set<Holder>();

/** Whether anything keeps the process. */
export function isHeld(): boolean {
  for (const holder of holders) {
    if (holder.isOpen || holder.isBusy()) return true;
  }
  return false;
}

/**
 * Keeps the process while something is being opened.
 *
 * @param open Opens it.
 * @returns What that returned.
 */
export async function holdDuring<T>(open: () => Promise<T>): Promise<T> {
  const holder: Holder = { isOpen: true, isBusy: () => false };
  holders.add(holder);
  try {
    return await open();
  } finally {
    holders.delete(holder);
  }
}

/** Methods that end a listener, of any runtime. */
const ENDING = ["close", "stop", Symbol.dispose] as const;

/**
 * Keeps the process while a listener is open, unless it is unref'd, and while
 * connections of it are.
 *
 * @param listener A listener or socket, of this library or of a runtime.
 * @param isBusy Whether a connection that it accepted is open still.
 * @returns The same.
 */
export function holdWhileOpen<T extends object>(
  listener: T,
  isBusy: () => boolean = () => false,
): T {
  const holder: Holder = { isOpen: true, isBusy };
  let isClosed = false;
  holders.add(holder);
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
      holder.isOpen = false;
      if (!isBusy()) holders.delete(holder);
    });
  }
  before("unref", () => void (holder.isOpen = false));
  before("ref", () => void (holder.isOpen = !isClosed));
  return listener;
}
