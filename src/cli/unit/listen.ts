/**
 * Formats sockets as settings of socket units.
 *
 * @module
 */

import net from "node:net";
import { posix } from "node:path";
import { quote } from "../../core/errors.ts";
import {
  parseSocketSpec,
  requireDistinctAddresses,
  type SocketSpec,
} from "../shared/socket_spec.ts";
import { plainValue } from "../shared/systemd/unit_text.ts";
import { nativeDenoFlags } from "../shared/use.ts";
import { UsageError } from "../shared/verb.ts";
import type { NamedSockets } from "./plan.ts";

/** A `Listen…=` line of a socket unit. */
interface ListenLine {
  readonly setting: "ListenStream" | "ListenDatagram";
  readonly value: string;
  readonly isIpv6: boolean;
  readonly isPath: boolean;
}

/**
 * Parses sockets written as `NAME=ADDRESS` and groups them by name, in order.
 *
 * @param accept True to start a process for each connection.
 * @throws {UsageError} If systemd can't bind a socket, or two share an address.
 */
export function parseNamedSockets(
  specs: readonly string[],
  accept: boolean,
  cwd: string,
): NamedSockets[] {
  if (specs.length === 0) {
    throw new UsageError(
      `Reading the arguments: expected at least one ` +
        `--socket NAME=ADDRESS, such as web=127.0.0.1:8080`,
    );
  }
  const sockets = specs.map((text) => ({ text, spec: readSpec(text) }));
  requireDistinctAddresses(
    sockets.map(({ spec }) => spec),
    (path) => posix.resolve(cwd, path),
  );
  const byName = new Map<string, ListenLine[]>();
  for (const { text, spec } of sockets) {
    requireName(spec.name, text);
    const line = listenLine(spec, text, cwd);
    if (accept && line.setting === "ListenDatagram") {
      throw socketError(
        text,
        "has no connections to accept: leave out --accept",
      );
    }
    const lines = byName.get(spec.name);
    if (lines === undefined) byName.set(spec.name, [line]);
    else lines.push(line);
  }
  return [...byName].map(([name, lines]) => ({
    name,
    listen: lines.map(({ setting, value }) => `${setting}=${value}`),
    hasIpv6: lines.some(({ isIpv6 }) => isIpv6),
    hasPath: lines.some(({ isPath }) => isPath),
    hasStream: lines.some(({ setting }) => setting === "ListenStream"),
  }));
}

/** Returns the permissions that Deno's own servers need for the sockets. */
export function nativePermissions(sockets: readonly NamedSockets[]): string[] {
  const flags = sockets.flatMap(({ listen }) =>
    listen.flatMap((line) => {
      const isUnix = /^Listen\w+=[/@]/.test(line);
      const isDatagram = line.startsWith("ListenDatagram=");
      const kind = isDatagram ? "datagram" : "stream-listener";
      return nativeDenoFlags(kind, isUnix).map((flag) =>
        // Directory of the placeholder.
        /^--allow-(?:read|write)$/.test(flag) ? `${flag}=/tmp` : flag
      );
    })
  );
  return [...new Set(flags)];
}

function readSpec(text: string): SocketSpec {
  try {
    return parseSocketSpec(text);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

/** Throws for an invalid `FileDescriptorName=` (`systemd.socket(5)`). */
function requireName(name: string, text: string): void {
  if (/^[!-9;-~](?:[ -9;-~]{0,253}[!-9;-~])?$/.test(name)) return;
  throw socketError(
    text,
    "has a name that systemd doesn't take: use 1 to 255 printable ASCII " +
      "characters except colons, without spaces at the ends",
  );
}

function socketError(text: string, problem: string): UsageError {
  return new UsageError(`Reading the socket ${quote(text)}: it ${problem}`);
}

function listenLine(
  { address }: SocketSpec,
  text: string,
  cwd: string,
): ListenLine {
  if (!("port" in address)) {
    const { path } = address;
    const isPath = !path.startsWith("@");
    const absolute = isPath ? posix.resolve(cwd, path) : path;
    if (new TextEncoder().encode(absolute).length > 107) {
      throw socketError(
        text,
        "has a path of more than 107 bytes: use a shorter one",
      );
    }
    return {
      setting: "ListenStream",
      value: plainValue(absolute, "path"),
      isIpv6: false,
      isPath,
    };
  }
  const { kind, hostname, port } = address;
  if (port === 0) {
    throw socketError(
      text,
      "has no port, and systemd can't choose one: name a port",
    );
  }
  const isIpv6 = hostname.includes(":");
  if (!isIpv6 && !net.isIPv4(hostname)) {
    throw socketError(
      text,
      "has a host name, and systemd binds numeric addresses only: use a " +
        "numeric address, such as 127.0.0.1",
    );
  }
  // systemd expects the interface of a link-local address after the port.
  const [host, scope] = hostname.split("%") as [string, string?];
  return {
    setting: kind === "udp" ? "ListenDatagram" : "ListenStream",
    value: isIpv6
      ? `[${host}]:${port}${scope === undefined ? "" : `%%${scope}`}`
      : `${hostname}:${port}`,
    isIpv6,
    isPath: false,
  };
}
