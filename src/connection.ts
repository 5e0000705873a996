/**
 * The connection of a unit with `Accept=yes`.
 *
 * @module
 */

import { quote } from "./core/errors.ts";
import { useDescriptor } from "./target.ts";
import { requireNoListener } from "./runtime/node/acceptor.ts";
import type { Connection } from "./core/types.ts";

/**
 * Takes the one connection that this process was started for: a socket unit
 * with `Accept=yes` accepts itself, and starts a process for each connection.
 *
 * @param name The descriptor's name; systemd's own default for connections is
 * `connection`.
 * @returns The connection.
 * @throws {ActivationError} With the code `missing-name`, `claimed` or
 * `ambiguous-name`; `wrong-kind` or `closed` before anything is touched;
 * `not-activated` if there is no activation; `unsupported` if this version of
 * the runtime can't take a connection over.
 *
 * @example
 * ```ts
 * import { connection } from "@listenfds/listenfds";
 *
 * const { readable, writable } = await connection();
 * await readable.pipeTo(writable);
 * ```
 */
export async function connection(
  name: string = "connection",
): Promise<Connection> {
  const doing = `Taking the connection ${quote(name)}`;
  return await useDescriptor(
    name,
    "stream-connection",
    doing,
    async (descriptor, runtime) => {
      await requireNoListener(runtime, descriptor, doing);
      return await runtime.connect(descriptor.fd);
    },
  );
}
