/**
 * The set of descriptors that a process was given, to be claimed by name.
 *
 * @module
 */

import { Descriptor } from "./descriptor.ts";
import { ActivationError, quote, quoteAll } from "./errors.ts";
import { describeInfo } from "./kinds.ts";

/**
 * Closes a descriptor, or returns `false` to leave it open, since it can't be
 * told from what the runtime itself has opened. Injected, so that the core does
 * no I/O.
 */
export type CloseDescriptor = (fd: number) => boolean;

/**
 * The descriptors that were handed to this process.
 *
 * Each is taken once, by claiming its name. While there is an activation, the
 * program doesn't bind sockets by itself, also not when a name is missing: the
 * unit is wrong then, and a socket that nobody asked for would hide it.
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
  /** All descriptors, claimed or not, in the order they were passed in. */
  readonly descriptors: readonly Descriptor[];
  readonly #unclaimed: Set<Descriptor>;
  readonly #byName: Map<string, Descriptor[]>;
  readonly #close: CloseDescriptor;

  /**
   * Makes an activation.
   *
   * @param descriptors All descriptors that were passed, in order.
   * @param close Closes a descriptor that nobody claimed.
   */
  constructor(descriptors: readonly Descriptor[], close: CloseDescriptor) {
    this.descriptors = [...descriptors];
    this.#unclaimed = new Set(descriptors);
    this.#byName = new Map();
    this.#close = close;
    for (const descriptor of descriptors) {
      const named = this.#byName.get(descriptor.name);
      if (named === undefined) this.#byName.set(descriptor.name, [descriptor]);
      else named.push(descriptor);
    }
  }

  /** The names there are, each once, in the order of their first descriptor. */
  get names(): string[] {
    return [...this.#byName.keys()];
  }

  /** The descriptors that nobody claimed, in order. */
  get unclaimed(): Descriptor[] {
    return this.descriptors.filter((one) => this.#unclaimed.has(one));
  }

  /**
   * Tells whether a name was passed, claimed or not.
   *
   * @param name The name.
   * @returns Whether any descriptor has it.
   */
  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /**
   * Takes all descriptors of a name.
   *
   * @param name The name.
   * @returns Its descriptors in order; an empty array if there is none, or if
   * they were claimed before.
   */
  claim(name: string): Descriptor[] {
    return this.#take(this.#byName.get(name) ?? []);
  }

  /**
   * Takes the one descriptor of a name.
   *
   * @param name The name.
   * @returns Its descriptor.
   * @throws {ActivationError} With the code `missing-name` if no descriptor has
   * the name, `ambiguous-name` if more than one has it, whether claimed or not
   * (then none of them is claimed by this), or `claimed` if all were before.
   */
  claimOne(name: string): Descriptor {
    const [one] = this.#require(name, `Claiming one descriptor ${quote(name)}`);
    const named = this.#byName.get(name)!;
    if (named.length > 1) {
      throw new ActivationError(
        "ambiguous-name",
        `Claiming one descriptor ${quote(name)}: found ${named.length} with ` +
          `this name (${named.map((each) => each.fd).join(", ")}): claim all ` +
          `of them, or give each socket unit its own FileDescriptorName=`,
      );
    }
    this.#take([one!]);
    return one!;
  }

  /**
   * Takes all descriptors of a name, of which there must be at least one.
   *
   * @param name The name.
   * @param doing What they are claimed for, to begin an error's message with.
   * @returns Its descriptors in order.
   * @throws {ActivationError} With the code `missing-name` if no descriptor has
   * the name, or `claimed` if all were claimed before.
   */
  claimAll(
    name: string,
    doing: string = `Claiming ${quote(name)}`,
  ): Descriptor[] {
    return this.#take(this.#require(name, doing));
  }

  /**
   * Takes a descriptor by its number.
   *
   * @param fd The number of the descriptor.
   * @param doing What it is claimed for, to begin an error's message with.
   * @returns The descriptor.
   * @throws {ActivationError} With the code `missing-name` if no descriptor of
   * this number was passed, or `claimed` if it was claimed before.
   */
  claimFd(fd: number, doing: string = `Claiming descriptor ${fd}`): Descriptor {
    const one = this.descriptors.find((each) => each.fd === fd);
    if (one === undefined) {
      throw new ActivationError(
        "missing-name",
        `${doing}: descriptor ${fd} was not passed, only ` +
          `${this.descriptors[0]?.fd} to ${
            this.descriptors.at(-1)?.fd
          }: pass ` +
          `more sockets to the service, or ask for one of these`,
      );
    }
    if (!this.#unclaimed.has(one)) {
      throw new ActivationError(
        "claimed",
        `${doing}: ${one} is already claimed: ${CLAIM_ONCE}`,
      );
    }
    this.#take([one]);
    return one;
  }

  /**
   * Gives back descriptors that were claimed but could not be used, so that
   * they can be claimed again.
   *
   * @param descriptors Descriptors of this activation.
   */
  release(descriptors: Iterable<Descriptor>): void {
    const given = [...descriptors];
    const foreign = given.find((one) =>
      !this.#byName.get(one.name)?.includes(one)
    );
    if (foreign !== undefined) {
      throw new TypeError(
        `Releasing ${foreign}: it is not of this activation`,
      );
    }
    for (const one of given) this.#unclaimed.add(one);
  }

  /**
   * Checks that everything that was passed is claimed: a socket that nobody
   * serves would accept connections and never answer them.
   *
   * @throws {ActivationError} With the code `unclaimed`, naming what is left.
   */
  complete(): void {
    const left = this.unclaimed;
    if (left.length === 0) return;
    const shown = left.slice(0, 20);
    const infos = Descriptor.inspectAll(shown);
    const list = shown.map((one, at) => `${one}: ${describeInfo(infos[at]!)}`);
    if (left.length > 20) list.push(`and ${left.length - 20} more`);
    throw new ActivationError(
      "unclaimed",
      `Completing the activation: nobody claimed ${list.join("; ")}: serve ` +
        `it, or take it out of the service's socket units`,
    );
  }

  /**
   * Closes what nobody claimed. The sockets stay with the service manager:
   * nothing is shut down, and no path is removed. What is no socket or FIFO stays
   * open and unclaimed: the number could be one that was never passed, and that
   * the runtime uses by now. If closing one fails, that one stays unclaimed, the
   * others are closed all the same, and the first error is thrown.
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
    return descriptors.filter((one) => this.#unclaimed.delete(one));
  }

  /** The descriptors of a name that can be claimed; at least one. */
  #require(name: string, doing: string): Descriptor[] {
    const named = this.#byName.get(name);
    if (named === undefined) {
      throw new ActivationError(
        "missing-name",
        `${doing}: no descriptor has this name; there are ` +
          `${quoteAll(this.names)}: set FileDescriptorName=${nameHint(name)} ` +
          `in the socket unit, or ask for a name that it has`,
      );
    }
    const free = named.filter((one) => this.#unclaimed.has(one));
    if (free.length === 0) {
      throw new ActivationError(
        "claimed",
        `${doing}: ${named.join(", ")} ` +
          `${named.length === 1 ? "is" : "are"} already claimed: ${CLAIM_ONCE}`,
      );
    }
    return free;
  }
}

const CLAIM_ONCE = "claim each name once, and share what listens on it";

/** The name as it could stand in a unit, or a placeholder. */
function nameHint(name: string): string {
  return /^[\w.@-]{1,64}$/.test(name) ? name : "NAME";
}
