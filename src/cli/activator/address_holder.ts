/**
 * Finds the process that holds an address, from Linux's `/proc`.
 *
 * @module
 */

import path from "node:path";
import { parseIpv4, parseIpv6 } from "../../core/address.ts";
import { quote } from "../../core/errors.ts";
import { TCP_LISTEN } from "../../ffi/constants.ts";
import { parseUnixRecord } from "../../linux/procfs.ts";
import type { SocketAddress } from "../shared/socket_spec.ts";
import {
  listDirectory,
  readLink,
  readSystemFile,
} from "../shared/text_file.ts";

/**
 * Describes the process that holds an address, such as `"node" (process 123)`;
 * `undefined` if it can't be found, as for a process of another user.
 */
export function describeHolder(address: SocketAddress): string | undefined {
  const inodes = "port" in address
    ? inodesOfPort(address.kind, address.hostname, address.port)
    : inodesOfPath(address.path);
  if (inodes.size === 0) return undefined;
  for (const pid of listDirectory("/proc")) {
    if (!/^[0-9]+$/.test(pid)) continue;
    const isHolder = listDirectory(`/proc/${pid}/fd`).some((fd) => {
      const link = readLink(`/proc/${pid}/fd/${fd}`);
      return inodes.has(/^socket:\[([0-9]+)\]$/.exec(link)?.[1] ?? "");
    });
    if (!isHolder) continue;
    // The name of the main thread may be another one than the program's.
    const [command = ""] = readSystemFile(`/proc/${pid}/cmdline`).split("\0");
    const name = path.basename(command);
    return `${name === "" ? "a program" : quote(name)} (process ${pid})`;
  }
  return undefined;
}

/** Returns the inodes of sockets whose address is the same or a wildcard. */
function inodesOfPort(
  kind: "tcp" | "udp",
  hostname: string,
  port: number,
): Set<string> {
  const expected = kernelHex(hostname);
  const inodes = new Set<string>();
  for (const table of [kind, `${kind}6`]) {
    for (const line of readSystemFile(`/proc/self/net/${table}`).split("\n")) {
      const fields = line.trim().split(/\s+/);
      const [host = "", hexPort = ""] = fields[1]?.split(":") ?? [];
      const isHeld = kind === "udp" || parseInt(fields[3]!, 16) === TCP_LISTEN;
      if (!isHeld || parseInt(hexPort, 16) !== port) continue;
      const isSame = [host, expected].some((hex) => /^0+$/.test(hex)) ||
        host === expected;
      if (isSame) inodes.add(fields[9]!);
    }
  }
  return inodes;
}

/** Formats an address as `/proc/net/tcp` does on a little-endian machine. */
function kernelHex(hostname: string): string {
  const [host = ""] = hostname.split("%");
  const bytes = parseIpv4(host) ?? parseIpv6(host) ?? [];
  const words = Array.from(
    { length: bytes.length / 4 },
    (_, index) => bytes.slice(4 * index, 4 * index + 4).reverse(),
  );
  return words.flat().map((byte) => byte.toString(16).padStart(2, "0"))
    .join("").toUpperCase();
}

/** Returns the inodes of sockets that are bound to a path or abstract name. */
function inodesOfPath(file: string): Set<string> {
  const lines = readSystemFile("/proc/self/net/unix").split("\n");
  return new Set(lines.flatMap((line) => {
    const record = parseUnixRecord(line);
    return record?.path === file ? [record.inode] : [];
  }));
}
