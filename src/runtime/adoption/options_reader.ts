/**
 * The options that a program passes on to a function of its runtime, with some
 * members replaced.
 *
 * @module
 */

/** The replaced members of options; `undefined` hides a member. */
export type ReplacedMembers = Readonly<Record<PropertyKey, unknown>>;

/**
 * Reads the members of options, each once, although a runtime's function is
 * called for each socket of a name. Members are read from the program's own
 * object, because its getters may use private fields, and because members of a
 * class are on its prototype.
 */
export class OptionsReader {
  readonly #options: object;
  readonly #members = new Map<PropertyKey, unknown>();

  constructor(options: object) {
    this.#options = options;
  }

  /** The members that were read, and have a value. */
  get members(): Readonly<Record<PropertyKey, unknown>> {
    return Object.fromEntries(
      [...this.#members].filter(([, value]) => value !== undefined),
    );
  }

  /** Returns a member of the options. */
  readonly read = (name: PropertyKey): unknown => {
    if (!this.#members.has(name)) {
      this.#members.set(name, Reflect.get(this.#options, name));
    }
    return this.#members.get(name);
  };

  /** Returns the options with some members replaced. */
  replace(replaced: ReplacedMembers): object {
    return replaceMembers(this.#options, replaced, this.read);
  }
}

/**
 * Returns a view of options in which some members are replaced.
 *
 * A copy would lack inherited members, and an object that inherits from the
 * options would run their getters without their private fields.
 */
export function replaceMembers(
  options: object,
  replaced: ReplacedMembers,
  read: (name: PropertyKey) => unknown = (name) => Reflect.get(options, name),
): object {
  const isReplaced = (name: PropertyKey) => Object.hasOwn(replaced, name);
  // Not a proxy of the options themselves, because a proxy of frozen options
  // can't replace their members.
  return new Proxy({}, {
    get: (_, name) => isReplaced(name) ? replaced[name] : read(name),
    has: (_, name) =>
      isReplaced(name)
        ? replaced[name] !== undefined
        : Reflect.has(options, name),
    ownKeys: () => [
      ...new Set([...Reflect.ownKeys(options), ...Reflect.ownKeys(replaced)]),
    ],
    getOwnPropertyDescriptor(_, name) {
      const descriptor = isReplaced(name)
        ? replaced[name] === undefined
          ? undefined
          : Reflect.getOwnPropertyDescriptor(replaced, name)
        : Reflect.getOwnPropertyDescriptor(options, name);
      return descriptor && { ...descriptor, configurable: true };
    },
  });
}
