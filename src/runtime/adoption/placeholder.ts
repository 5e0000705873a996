/**
 * Placeholders: the addresses that a runtime's own listener is created on before
 * an inherited socket takes its place.
 *
 * @module
 */

import type { Placeholder } from "../../core/types.ts";
import { type Address, isInetAddress } from "../../core/address.ts";
import type { DescriptorInfo } from "../../core/info.ts";
import { builtin } from "../builtin.ts";

/**
 * Reserves a placeholder for an inherited socket; `undefined` if no runtime
 * has a listener of its own for the kind.
 */
export function reservePlaceholder(
  { address, kind }: DescriptorInfo,
): {
  readonly placeholder: Placeholder;
  /**
   * Creates the directory of a Unix placeholder, and returns the placeholder.
   * The path changes if the first parent directory isn't writable.
   */
  prepare(): Placeholder;
  /** The address of the placeholder's socket; port 0 stands for any port. */
  readonly address: Address;
  /** Removes the directory of a Unix placeholder. */
  remove(): void;
} | undefined {
  const isInet = isInetAddress(address);
  if (kind === "stream-listener" && isInet) return inetPlaceholder("tcp");
  if (kind === "datagram" && isInet) return inetPlaceholder("udp");
  return kind === "stream-listener" && address?.kind.startsWith("unix")
    ? unixPlaceholder()
    : undefined;
}

/**
 * A random one of sixteen million loopback addresses, so that no other socket of
 * this process has it. IPv4 serves for IPv6, too, because an accepted connection
 * has the address of the inherited socket.
 */
function inetPlaceholder(kind: "tcp" | "udp") {
  // Not secret, as the kernel shows it, so that the first use of `crypto`, which
  // takes a while, is left to the program.
  const [a, b, c] = [254, 256, 256]
    .map((count) => Math.floor(Math.random() * count));
  // 127.0.0.0 and 127.255.255.255 are no addresses of hosts.
  const hostname = `127.${1 + a!}.${b}.${c}`;
  const placeholder = { kind, hostname, port: 0 };
  return {
    placeholder,
    address: { kind: "ipv4", hostname, port: 0 } as const,
    prepare: () => placeholder,
    remove() {},
  };
}

/**
 * Parents of the private directory: the first writable one is used. `/tmp` is
 * read-only with `ProtectSystem=strict` and without `PrivateTmp=yes`. TMPDIR is
 * not used, because reading it takes a permission on Deno.
 */
const PARENT_DIRECTORIES = ["/tmp", "/dev/shm"] as const;

function unixPlaceholder() {
  const name = `listenfds-adopt-${crypto.randomUUID()}`;
  const path = `${PARENT_DIRECTORIES[0]}/${name}/placeholder`;
  const placeholder = { kind: "unix" as const, path };
  const address = { ...placeholder };
  let directory: string | undefined;
  return {
    placeholder,
    address,
    prepare() {
      directory = createPrivateDirectory(name);
      placeholder.path = address.path = `${directory}/placeholder`;
      return placeholder;
    },
    remove() {
      if (directory === undefined) return;
      // Not with rmSync(), which needs a descriptor to read the directory.
      const { rmdirSync, unlinkSync } = builtin("node:fs");
      for (
        const step of [
          () => unlinkSync(placeholder.path),
          () => rmdirSync(directory!),
        ]
      ) {
        try {
          step();
        } catch {
          // The runtime failed to create the socket, or has removed it.
        }
      }
    },
  };
}

/** Creates a directory that only this user can enter. */
function createPrivateDirectory(name: string): string {
  const failures: unknown[] = [];
  for (const parent of PARENT_DIRECTORIES) {
    const path = `${parent}/${name}`;
    try {
      builtin("node:fs").mkdirSync(path, { mode: 0o700 });
      return path;
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}
