/**
 * Addresses for placeholders: what a runtime's own listener is made on, before
 * an inherited socket takes its place.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import type { DescriptorInfo } from "../../core/info.ts";
import { builtin } from "../builtin.ts";

/** Where a listener is to be made that an inherited socket takes over. */
export type Placeholder =
  | {
    /** A TCP listener, for an inherited socket of IPv4 or IPv6. */
    readonly kind: "tcp";
    /** An address of the loopback interface. */
    readonly hostname: string;
    /** 0: the operating system chooses. */
    readonly port: number;
  }
  | {
    /** A UDP socket, for an inherited one of IPv4 or IPv6. */
    readonly kind: "udp";
    /** An address of the loopback interface. */
    readonly hostname: string;
    /** 0: the operating system chooses. */
    readonly port: number;
  }
  | {
    /** A Unix listener. */
    readonly kind: "unix";
    /** A path that nothing has, in a folder that nobody else can look into. */
    readonly path: string;
  };

/** Where a listener of the runtime's own is made. */
export interface Place {
  /** The address to give to the runtime. */
  readonly bind: Placeholder;
  /**
   * The address that it has in truth, if that is another: `bind` is only a
   * placeholder then.
   */
  readonly inherited: Address | undefined;
}

/** A placeholder, and how to find and remove what is made on it. */
export interface Reserved {
  readonly placeholder: Placeholder;
  /**
   * Makes what it needs in the file system; the path is another one afterwards
   * where it can't be made at the first.
   */
  prepare(): void;
  /** Where its socket is bound; a port of 0 stands for any. */
  readonly address: Address;
  /** Removes what was made for it in the file system. */
  remove(): void;
}

/**
 * Reserves a placeholder for an inherited socket.
 *
 * @param info What the socket is.
 * @returns The placeholder; `undefined` for a kind that there is none for.
 */
export function reservePlaceholder(info: DescriptorInfo): Reserved | undefined {
  const { address, kind } = info;
  const isInet = address?.kind === "ipv4" || address?.kind === "ipv6";
  if (kind === "stream-listener" && isInet) return inetPlaceholder("tcp");
  if (kind === "datagram" && isInet) return inetPlaceholder("udp");
  return kind === "stream-listener" && address?.kind.startsWith("unix")
    ? unixPlaceholder()
    : undefined;
}

/**
 * One of sixteen million addresses of the loopback interface: none that a
 * socket of this process is likely to have. IPv4 does for IPv6, too: what is
 * accepted has the address that it has.
 */
function inetPlaceholder(kind: "tcp" | "udp"): Reserved {
  const [a, b, c] = crypto.getRandomValues(new Uint8Array(3));
  // 127.0.0.0 and 127.255.255.255 are no addresses of hosts.
  const hostname = `127.${1 + a! % 254}.${b}.${c}`;
  return {
    placeholder: { kind, hostname, port: 0 },
    address: { kind: "ipv4", hostname, port: 0 },
    prepare() {},
    remove() {},
  };
}

/**
 * Where its folder is made: the first where that is possible. `/tmp` is
 * read-only with `ProtectSystem=strict` and without `PrivateTmp=yes`. Not the
 * folder of TMPDIR: reading that takes a permission on Deno.
 */
const FOLDERS = ["/tmp", "/dev/shm"] as const;

function unixPlaceholder(): Reserved {
  const name = `listenfds-adopt-${crypto.randomUUID()}`;
  const path = `${FOLDERS[0]}/${name}/placeholder`;
  const placeholder = { kind: "unix" as const, path };
  const address = { ...placeholder };
  let made: string | undefined;
  return {
    placeholder,
    address,
    prepare() {
      made = makeFolder(name);
      placeholder.path = address.path = `${made}/placeholder`;
    },
    remove() {
      if (made === undefined) return;
      builtin("node:fs").rmSync(made, { recursive: true, force: true });
    },
  };
}

/** Makes a folder that nobody else can look into. */
function makeFolder(name: string): string {
  const failures: unknown[] = [];
  for (const folder of FOLDERS) {
    const path = `${folder}/${name}`;
    try {
      builtin("node:fs").mkdirSync(path, { mode: 0o700 });
      return path;
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}
