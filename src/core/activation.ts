/**
 * The activation: the set of inherited descriptors, claimed by name or number.
 *
 * @module
 */

import { Descriptor } from "./descriptor.ts";
import { ActivationError, quote, quoteAll } from "./errors.ts";
import { describeInfo } from "./kinds.ts";
import { describePassed } from "./systemd/pass_on.ts";

/**
 * Closes a descriptor and returns `true`, or leaves it open and returns `false`,
 * because the runtime itself may have opened it. Injected, so that the core does
 * no I/O.
 */
export type CloseDescriptor = (fd: number) => boolean;

/**
 * The descriptors that the service manager passed to this process. Each
 * descriptor is claimed once, by its name or number.
 *
 * An activated program never binds sockets itself, even if a name is missing:
 * the socket unit is wrong then, and another socket would hide the mistake.
 *
 * @example
 * ```ts
 * import { activation } from "@listenfds/listenfds";
 *
 * const activated = activation();
 * if (activated !== null) {
 *   for (const descriptor of activated.claim("web")) {
 *     console.log(descriptor.fd, descriptor.info.kind);
 *   }
 *   activated.complete();
 * }
 * ```
 */
export class Activation {
  /** All descriptors, claimed or not, in the order in which they were passed. */
  readonly descriptors: readonly Descriptor[];
  readonly #unclaimed: Set<Descriptor>;
  readonly #byName: Map<string, Descriptor[]>;
  readonly #close: CloseDescriptor;
  readonly #pid: number;
  /** The descriptors that are for child processes. */
  readonly #passed: Set<Descriptor> = new Set();

  /**
   * Creates an activation in which no descriptor is claimed.
   *
   * @internal
   * @ignore
   */
  constructor(
    descriptors: readonly Descriptor[],
    close: CloseDescriptor,
    pid: number = 0,
  ) {
    this.descriptors = [...descriptors];
    this.#unclaimed = new Set(descriptors);
    this.#byName = new Map();
    this.#close = close;
    this.#pid = pid;
    for (const descriptor of descriptors) {
      const named = this.#byName.get(descriptor.name);
      if (named === undefined) this.#byName.set(descriptor.name, [descriptor]);
      else named.push(descriptor);
    }
  }

  /** The distinct names, in the order of their first descriptor. */
  get names(): string[] {
    return [...this.#byName.keys()];
  }

  /** The unclaimed descriptors, in order. */
  get unclaimed(): Descriptor[] {
    return this.descriptors.filter((descriptor) =>
      this.#unclaimed.has(descriptor)
    );
  }

  /**
   * Checks that a descriptor has this name.
   *
   * @param name The name, case-sensitive.
   * @returns `true` if a descriptor, claimed or not, has the name.
   */
  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /**
   * Claims all unclaimed descriptors of a name, at least one.
   *
   * @param name The name, case-sensitive.
   * @returns The descriptors in order.
   * @throws {ActivationError} With the code `missing-name` if no descriptor has
   * the name, or `already-claimed` if all were claimed before.
   */
  claim(name: string): Descriptor[];
  claim(
    name: string,
    // Of the library itself: the first words of an error's message.
    action: string = `Claiming ${quote(name)}`,
  ): Descriptor[] {
    return this.#take(this.#requireUnclaimed(name, action));
  }

  /**
   * Claims all unclaimed descriptors of a name, if there are any.
   *
   * @param name The name, case-sensitive.
   * @returns The descriptors in order; an empty array if no descriptor has the
   * name, or if all were claimed before.
   */
  tryClaim(name: string): Descriptor[] {
    return this.#take(this.#byName.get(name) ?? []);
  }

  /**
   * Claims the only descriptor of a name.
   *
   * @param name The name, case-sensitive.
   * @returns The descriptor.
   * @throws {ActivationError} With the code `missing-name` if no descriptor has
   * the name, `already-claimed` if all were claimed before, or `ambiguous-name` if
   * several have the name, claimed or not. Then this call claims none of them.
   */
  claimOne(name: string): Descriptor {
    const action = `Claiming one descriptor ${quote(name)}`;
    const unclaimed = this.#requireUnclaimed(name, action);
    const named = this.#byName.get(name)!;
    if (named.length > 1) {
      const fds = named.map(({ fd }) => fd).join(", ");
      throw new ActivationError(
        "ambiguous-name",
        `${action}: found ${named.length} with this name (${fds}): claim all ` +
          `of them, or give each socket unit its own FileDescriptorName=`,
      );
    }
    return this.#take(unclaimed)[0]!;
  }

  /**
   * Claims a descriptor by its number.
   *
   * @param fd The descriptor's number, 3 or more.
   * @returns The descriptor.
   * @throws {ActivationError} With the code `missing-name` if the service
   * manager passed no descriptor of this number, or `already-claimed` if the descriptor
   * was claimed before.
   */
  claimFd(fd: number): Descriptor;
  claimFd(
    fd: number,
    // See claim().
    action: string = `Claiming descriptor ${fd}`,
  ): Descriptor {
    const descriptor = this.descriptors.find((passed) => passed.fd === fd);
    if (descriptor === undefined) {
      const [first, last] = [this.descriptors[0], this.descriptors.at(-1)];
      throw new ActivationError(
        "missing-name",
        `${action}: descriptor ${fd} was not passed, only ${first?.fd} to ` +
          `${last?.fd}: pass more sockets to the service, or claim one of these`,
      );
    }
    if (!this.#unclaimed.delete(descriptor)) {
      throw alreadyClaimed([descriptor], action);
    }
    return descriptor;
  }

  /**
   * Claims all descriptors of names for child processes, which then find them by
   * the same names. Names that were passed on before can be passed on again.
   *
   * Pass `fds` to the child as descriptors 3, 4, 5 …, by `stdio` of
   * `node:child_process`, `node:cluster` or `Bun.spawn`, and add `env` to its
   * environment. The child must be started by this process itself. It doesn't
   * notify the service manager; this process does, by `notify()`.
   *
   * @param names The names, case-sensitive.
   * @returns The descriptors' numbers in this process, ascending, and the variables.
   * @throws {ActivationError} With the code `missing-name` if no descriptor has a
   * name, or `already-claimed` if this process uses one itself. Then nothing is
   * claimed.
   * @throws {TypeError} If there is no name.
   *
   * @example
   * ```ts
   * import { spawn } from "node:child_process";
   * import process from "node:process";
   * import { activation } from "@listenfds/listenfds";
   *
   * const passed = activation()?.passOn("web");
   * if (passed !== undefined) {
   *   spawn(process.execPath, ["worker.js"], {
   *     stdio: ["inherit", "inherit", "inherit", ...passed.fds],
   *     env: { ...process.env, ...passed.env },
   *   });
   * }
   * ```
   */
  passOn(
    ...names: readonly string[]
  ): {
    readonly fds: readonly number[];
    readonly env: Readonly<Record<string, string>>;
  } {
    if (names.length === 0) {
      throw new TypeError(
        `Passing on descriptors: found no name: give at least one, such as ` +
          `passOn("web")`,
      );
    }
    const descriptors = [...new Set(names)].flatMap((name) =>
      this.#requireUnused(name)
    );
    for (const descriptor of descriptors) {
      this.#unclaimed.delete(descriptor);
      this.#passed.add(descriptor);
    }
    return describePassed(descriptors, this.#pid);
  }

  /**
   * Makes claimed descriptors claimable again, all or none. Use it for a
   * descriptor that could not be used; an unclaimed one stays as it is.
   *
   * @param descriptors Descriptors of this activation.
   * @throws {TypeError} If a descriptor belongs to another activation.
   */
  release(descriptors: Iterable<Descriptor>): void {
    const released = [...descriptors];
    const foreign = released.find((descriptor) =>
      !this.#byName.get(descriptor.name)?.includes(descriptor)
    );
    if (foreign !== undefined) {
      throw new TypeError(
        `Releasing ${foreign}: the descriptor belongs to another activation: ` +
          `call release() of the activation that it was claimed from`,
      );
    }
    for (const descriptor of released) {
      this.#unclaimed.add(descriptor);
      this.#passed.delete(descriptor);
    }
  }

  /**
   * Checks that all descriptors are claimed, because an unclaimed socket accepts
   * connections that stay unanswered.
   *
   * @throws {ActivationError} With the code `unclaimed` and the name, number and
   * address of the unclaimed descriptors, of the first 20 of them.
   */
  complete(): void {
    const unclaimed = this.unclaimed;
    if (unclaimed.length === 0) return;
    const shown = unclaimed.slice(0, 20);
    const infos = Descriptor.inspectAll(shown);
    const list = shown.map((descriptor, index) =>
      `${descriptor}: ${describeInfo(infos[index]!)}`
    );
    if (unclaimed.length > 20) list.push(`and ${unclaimed.length - 20} more`);
    throw new ActivationError(
      "unclaimed",
      `Completing the activation: nobody claimed ${list.join("; ")}: claim ` +
        `it, or remove it from the service's socket units`,
    );
  }

  /**
   * Closes the unclaimed descriptors. Sockets stay open in the service manager:
   * none is shut down, no path is removed.
   *
   * Sockets and FIFOs are closed. Any other kind stays open and unclaimed,
   * because the service manager may have passed fewer descriptors than it
   * counted, and the runtime may use the number. So does everything from the
   * runtime's first own descriptor on. A failed close leaves its
   * descriptor unclaimed; the others are closed, then the first error is thrown.
   */
  [Symbol.dispose](): void {
    const failures: unknown[] = [];
    for (const descriptor of this.unclaimed) {
      try {
        const isOpen = descriptor.info.kind !== "closed";
        if (isOpen && !this.#close(descriptor.fd)) continue;
        this.#unclaimed.delete(descriptor);
        descriptor.markClosed();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  #take(descriptors: readonly Descriptor[]): Descriptor[] {
    return descriptors.filter((descriptor) =>
      this.#unclaimed.delete(descriptor)
    );
  }

  /** Returns the descriptors of a name, if this process uses none of them. */
  #requireUnused(name: string): readonly Descriptor[] {
    const action = `Passing on ${quote(name)}`;
    const named = this.#byName.get(name) ??
      this.#requireUnclaimed(name, action);
    const used = named.filter((descriptor) =>
      !this.#unclaimed.has(descriptor) && !this.#passed.has(descriptor)
    );
    if (used.length > 0) throw alreadyClaimed(used, action);
    return named;
  }

  #requireUnclaimed(name: string, action: string): Descriptor[] {
    const named = this.#byName.get(name);
    if (named === undefined) {
      const available = quoteAll(this.names);
      // The message proposes only names that systemd accepts.
      const proposed = /^[\w.@-]{1,64}$/.test(name) ? name : "NAME";
      throw new ActivationError(
        "missing-name",
        `${action}: no descriptor has this name; there are ${available}: set ` +
          `FileDescriptorName=${proposed} in the socket unit, or use one of ` +
          `these names`,
      );
    }
    const unclaimed = named.filter((descriptor) =>
      this.#unclaimed.has(descriptor)
    );
    if (unclaimed.length === 0) throw alreadyClaimed(named, action);
    return unclaimed;
  }
}

function alreadyClaimed(
  descriptors: readonly Descriptor[],
  action: string,
): ActivationError {
  return new ActivationError(
    "already-claimed",
    `${action}: ${descriptors.join(", ")} ` +
      `${descriptors.length === 1 ? "is" : "are"} already claimed: ` +
      `claim each descriptor once, and share its listener`,
  );
}
