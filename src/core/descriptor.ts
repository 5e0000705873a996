/**
 * An inherited descriptor: its number, its name and access to its metadata.
 *
 * @module
 */

import type { DescriptorInfo, Inspector } from "./info.ts";
import { quote } from "./errors.ts";

/** One inherited descriptor with its name. */
export class Descriptor {
  /**
   * The descriptor's number in this process. Open a file or FIFO with `node:fs` as
   * `/dev/fd/NUMBER`, because Deno takes only numbers that it opened itself.
   */
  readonly fd: number;
  /** The name from `LISTEN_FDNAMES`; `unknown` if the service manager set none. */
  readonly name: string;
  /**
   * The source of the metadata.
   *
   * @internal
   * @ignore
   */
  readonly inspector: Inspector;
  #closed = false;

  /**
   * Creates a descriptor without inspecting it.
   *
   * @internal
   * @ignore
   */
  constructor(fd: number, name: string, inspector: Inspector) {
    this.fd = fd;
    this.name = name;
    this.inspector = inspector;
  }

  /**
   * Inspects the descriptor anew at each access, so keep the result. For several
   * descriptors, {@linkcode Descriptor.inspectAll} is cheaper.
   *
   * After a listener has taken the descriptor over, the kind is always `closed`,
   * because the number may belong to another file by then.
   */
  get info(): DescriptorInfo {
    return Descriptor.inspectAll([this])[0]!;
  }

  /**
   * Inspects several descriptors with one call for each inspector. The `/proc`
   * inspector then reads the kernel's socket tables once for all of them.
   * Descriptors that are marked as closed are not inspected.
   *
   * @param descriptors The descriptors to inspect.
   * @returns The metadata of each descriptor, in the given order.
   *
   * @example
   * ```ts
   * import { activation } from "@listenfds/listenfds";
   * import { Descriptor } from "@listenfds/listenfds/core";
   *
   * const descriptors = activation()?.descriptors ?? [];
   * for (const info of Descriptor.inspectAll(descriptors)) {
   *   console.log(info.kind, info.address);
   * }
   * ```
   */
  static inspectAll(descriptors: readonly Descriptor[]): DescriptorInfo[] {
    const infos = new Map<Descriptor, DescriptorInfo>();
    const byInspector = new Map<Inspector, Descriptor[]>();
    for (const descriptor of descriptors) {
      if (!Descriptor.#isOwn(descriptor)) {
        infos.set(descriptor, descriptor.info);
        continue;
      }
      if (descriptor.#closed) continue;
      const group = byInspector.get(descriptor.inspector);
      if (group === undefined) {
        byInspector.set(descriptor.inspector, [descriptor]);
      } else group.push(descriptor);
    }
    for (const [inspector, group] of byInspector) {
      const results = inspector.inspect(group.map(({ fd }) => fd));
      group.forEach((descriptor, index) =>
        infos.set(descriptor, results[index]!)
      );
    }
    return descriptors.map((descriptor) =>
      infos.get(descriptor) ?? { kind: "closed" }
    );
  }

  /**
   * Checks that this copy of the class created a descriptor. A program can load
   * the library twice, as ES module and as CommonJS, and share one activation.
   */
  static #isOwn(descriptor: Descriptor): boolean {
    return #closed in descriptor;
  }

  /**
   * Records that the descriptor was closed or that a listener took its number
   * over. Closes nothing; {@linkcode Descriptor.info} is `closed` from now on.
   *
   * @internal
   * @ignore
   */
  markClosed(): void {
    this.#closed = true;
  }

  /** Formats the descriptor for messages: `descriptor 3 ("web")`. */
  toString(): string {
    return `descriptor ${this.fd} (${quote(this.name)})`;
  }
}
