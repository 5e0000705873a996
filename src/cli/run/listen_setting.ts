/**
 * Addresses in the `Listen…=` settings of socket units (`systemd.socket(5)`).
 *
 * @module
 */

import net from "node:net";
import type { SocketAddress } from "../shared/socket_spec.ts";
import { type Assignment, invalidValue } from "../shared/systemd/unit_file.ts";
import { UsageError } from "../shared/verb.ts";

type InetKind = "tcp" | "udp";
type PathKind = Exclude<SocketAddress["kind"], InetKind>;

/** Kinds of sockets by setting: for `IP:PORT`, and for a path. */
const LISTEN_KINDS: Readonly<
  Record<string, { readonly inet?: InetKind; readonly path: PathKind }>
> = {
  ListenStream: { inet: "tcp", path: "unix" },
  ListenDatagram: { inet: "udp", path: "unixgram" },
  ListenSequentialPacket: { path: "seqpacket" },
  ListenFIFO: { path: "fifo" },
};

/** Settings that create a descriptor that this command can't create. */
const UNSUPPORTED = [
  "ListenSpecial",
  "ListenNetlink",
  "ListenMessageQueue",
  "ListenUSBFunction",
];

/** Returns true if a setting creates a descriptor. */
export function isListenSetting(key: string): boolean {
  return Object.hasOwn(LISTEN_KINDS, key) || UNSUPPORTED.includes(key);
}

/**
 * Parses the address of a setting whose specifiers are expanded.
 *
 * @param anyHostname Address that a port alone is bound to.
 */
export function parseListenSetting(
  assignment: Assignment,
  anyHostname: string,
): SocketAddress {
  const { key, value, place } = assignment;
  const kinds = LISTEN_KINDS[key];
  if (kinds === undefined) {
    throw new UsageError(
      `Reading ${place}: ${key}= is not supported: the command would lack a ` +
        `descriptor: remove the setting`,
    );
  }
  const isAbstract = value.startsWith("@") && kinds.path !== "fifo";
  if (value.startsWith("/") || isAbstract) {
    if (value === "@" || value.includes("\0")) {
      throw invalidValue(assignment, "a path or a name");
    }
    return { kind: kinds.path, path: value };
  }
  if (kinds.inet === undefined) {
    const names = kinds.path === "fifo" ? "" : ', or "@" and a name';
    throw invalidValue(assignment, `an absolute path${names}`);
  }
  // systemd writes the interface of a link-local address after the port.
  const [, ipv6, inside = "", ipv4, digits, after = ""] =
    /^(?:\[([^\]%]*)(%[\w.-]+)?\]:|([0-9.]+):)?([0-9]+)(%[\w.-]+)?$/.exec(
      value,
    ) ?? [];
  const scope = inside || after;
  const port = Number(digits);
  const isValid = digits !== undefined && port >= 1 && port <= 65535 &&
    (ipv6 === undefined ? after === "" : net.isIPv6(ipv6)) &&
    (inside === "" || after === "") &&
    (ipv4 === undefined || net.isIPv4(ipv4));
  if (!isValid) {
    throw invalidValue(
      assignment,
      'a port from 1 to 65535, "IPV4:PORT", "[IPV6]:PORT", an absolute ' +
        'path, or "@" and a name' +
        (value.startsWith("vsock:") ? " (VSOCK is not supported)" : ""),
    );
  }
  const hostname = ipv4 ?? (ipv6 === undefined ? anyHostname : ipv6 + scope);
  return { kind: kinds.inet, hostname, port };
}
