/**
 * A descriptor that was handed over, with what is known of it.
 *
 * @module
 */

import type { DescriptorInfo, Inspector } from "./info.ts";
import { quote } from "./errors.ts";

/** One inherited descriptor with its name. */
export class Descriptor {
  /** The number of the descriptor in this process. */
  readonly fd: number;
  /** The name that the service manager gave it; `unknown` if it gave none. */
  readonly name: string;
  /** Reads what it is. */
  readonly inspector: Inspector;
  #closed = false;

  /**
   * Makes a descriptor; nothing is read yet.
   *
   * @param fd The number of the descriptor.
   * @param name Its name.
   * @param inspector Reads what it is.
   */
  constructor(fd: number, name: string, inspector: Inspector) {
    this.fd = fd;
    this.name = name;
    this.inspector = inspector;
  }

  /**
   * What the descriptor is, read each time it is asked for. For many
   * descriptors at once, {@linkcode Descriptor.inspectAll} is cheaper.
   *
   * Once it is known to be closed it stays so: its number may mean something
   * else by now.
   */
  get info(): DescriptorInfo {
    return Descriptor.inspectAll([this])[0]!;
  }

  /**
   * Reads what many descriptors are at once. Where that is read from `/proc`,
   * its tables of sockets are gone through once for all of them.
   *
   * @param descriptors The descriptors.
   * @returns What each is, in order.
   *
   * @example
   * ```ts
   * import { activation, Descriptor } from "@listenfds/listenfds";
   *
   * const descriptors = activation()?.descriptors ?? [];
   * for (const info of Descriptor.inspectAll(descriptors)) {
   *   console.log(info.kind, info.address);
   * }
   * ```
   */
  static inspectAll(descriptors: readonly Descriptor[]): DescriptorInfo[] {
    const infos = new Map<Descriptor, DescriptorInfo>();
    const open = new Map<Inspector, Descriptor[]>();
    for (const one of descriptors) {
      if (!Descriptor.#isOwn(one)) {
        infos.set(one, one.info);
        continue;
      }
      if (one.#closed) continue;
      const others = open.get(one.inspector);
      if (others === undefined) open.set(one.inspector, [one]);
      else others.push(one);
    }
    for (const [inspector, group] of open) {
      const read = inspector.inspect(group.map(({ fd }) => fd));
      group.forEach((one, at) => infos.set(one, read[at]!));
    }
    return descriptors.map((one) => infos.get(one) ?? { kind: "closed" });
  }

  /**
   * Whether this class made it. A program can hold this library twice, as ES
   * module and as CommonJS, and share the activation between them.
   */
  static #isOwn(one: Descriptor): boolean {
    return #closed in one;
  }

  /** Notes that the descriptor is closed and its number no longer ours. */
  markClosed(): void {
    this.#closed = true;
  }

  /** The descriptor as messages name it, such as `descriptor 3 ("web")`. */
  toString(): string {
    return `descriptor ${this.fd} (${quote(this.name)})`;
  }
}
