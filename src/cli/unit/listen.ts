/**
 * The sockets that units are to bind.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import { builtin } from "../../runtime/builtin.ts";
import {
  parseSocketSpec,
  requireDistinct,
  type SocketSpec,
} from "../shared/socket_spec.ts";
import type { NamedSockets } from "./files.ts";
import { plainValue } from "../shared/systemd/unit_text.ts";
import { denoFlags } from "../shared/use.ts";
import { UsageError } from "../shared/verb.ts";

/** Where one is bound, as units say it. */
interface Written {
  readonly setting: "ListenStream" | "ListenDatagram";
  readonly value: string;
  readonly isIpv6: boolean;
  readonly isPath: boolean;
}

/**
 * Reads the sockets of a service.
 *
 * @param specs Each as `NAME=ADDRESS`.
 * @param accept Whether there is to be a process for each connection.
 * @param cwd The folder that relative paths are taken from.
 * @returns The sockets by name, in the order of the names.
 * @throws {UsageError} If one can't be written into a unit, or two are the same.
 */
export function readSockets(
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
  const { resolve } = builtin("node:path").posix;
  const sockets = specs.map((text) => ({ text, spec: readSpec(text) }));
  requireDistinct(
    sockets.map(({ spec }) => spec),
    (path) => resolve(cwd, path),
  );
  const byName = new Map<string, Written[]>();
  for (const { text, spec } of sockets) {
    requireName(spec.name, text);
    const written = writeSocket(spec, text, cwd);
    if (accept && written.setting === "ListenDatagram") {
      throw refused(text, "has no connections to accept: leave --accept out");
    }
    const named = byName.get(spec.name);
    if (named === undefined) byName.set(spec.name, [written]);
    else named.push(written);
  }
  return [...byName].map(([name, all]) => ({
    name,
    listen: all.map(({ setting, value }) => `${setting}=${value}`),
    hasIpv6: all.some(({ isIpv6 }) => isIpv6),
    hasPath: all.some(({ isPath }) => isPath),
    hasStream: all.some(({ setting }) => setting === "ListenStream"),
  }));
}

/** The permissions with which Deno's own servers can use all of the sockets. */
export function nativePermissions(sockets: readonly NamedSockets[]): string[] {
  const flags = sockets.flatMap(({ listen }) =>
    listen.flatMap((line) => {
      const isUnix = /^Listen\w+=[/@]/.test(line);
      const isDatagram = line.startsWith("ListenDatagram=");
      const kind = isDatagram ? "datagram" : "stream-listener";
      return denoFlags(kind, isUnix).map((flag) =>
        // The placeholder is in a folder there.
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

/** What `FileDescriptorName=` of `systemd.socket(5)` takes. */
function requireName(name: string, text: string): void {
  if (/^[!-9;-~](?:[ -9;-~]{0,253}[!-9;-~])?$/.test(name)) return;
  throw refused(
    text,
    "has a name that systemd doesn't take: use 1 to 255 printable ASCII " +
      "characters but colons, with no space at the ends",
  );
}

function refused(text: string, why: string): UsageError {
  return new UsageError(`Reading the socket ${quote(text)}: it ${why}`);
}

function writeSocket(
  { address }: SocketSpec,
  text: string,
  cwd: string,
): Written {
  if (!("port" in address)) {
    const { path } = address;
    const isPath = !path.startsWith("@");
    const absolute = isPath
      ? builtin("node:path").posix.resolve(cwd, path)
      : path;
    if (new TextEncoder().encode(absolute).length > 107) {
      throw refused(
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
    throw refused(text, "has no port, which systemd doesn't choose: name one");
  }
  const isIpv6 = hostname.includes(":");
  // The interface of a link-local address stands behind the port.
  const [host, scope] = hostname.split("%") as [string, string?];
  return {
    setting: kind === "udp" ? "ListenDatagram" : "ListenStream",
    value: isIpv6
      ? `[${host}]:${port}${scope === undefined ? "" : `%%${scope}`}`
      : `${requireIpv4(hostname, text)}:${port}`,
    isIpv6,
    isPath: false,
  };
}

function requireIpv4(hostname: string, text: string): string {
  const parts = hostname.split(".");
  const isIpv4 = parts.length === 4 &&
    parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && +part < 256);
  if (isIpv4) return hostname;
  throw refused(
    text,
    "has a host name, and systemd binds numeric addresses only: use one, such " +
      "as 127.0.0.1",
  );
}
