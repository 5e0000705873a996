/**
 * Socket units (`systemd.socket(5)`), read into sockets to bind. What is not
 * supported is named: as an error if the program would get other descriptors
 * than under systemd, else as a note.
 *
 * @module
 */

import net from "node:net";
import { quote } from "../../../core/errors.ts";
import type { SocketOption } from "../../../ffi/sockets.ts";
import { isName, type SocketAddress, type SocketSpec } from "../socket_spec.ts";
import { type Assignment, expandSpecifiers } from "./unit_file.ts";
import {
  parseBoolean,
  parseInteger,
  parseMode,
  parseSeconds,
  parseSize,
  parseTypeOfService,
} from "./values.ts";
import { UsageError } from "../verb.ts";

/** A socket unit. */
export interface SocketUnit {
  /** The sockets, in order. */
  readonly specs: readonly SocketSpec[];
  /** Whether a command is started for each connection. */
  readonly accept: boolean;
  /** How many connections there may be at once then. */
  readonly maxConnections: number;
  /** What has no effect. */
  readonly notes: readonly string[];
}

/** What the kernel and the environment say. */
export interface UnitSurroundings {
  /** What specifiers stand for. */
  readonly specifiers: Readonly<Record<string, string>>;
  /** Whether there is IPv6 on this machine. */
  readonly hasIpv6: boolean;
  /** What `BindIPv6Only=default` means. */
  readonly ipv6OnlyByDefault: boolean;
}

/** The settings that make a descriptor, and its kind where it can be made. */
const LISTEN: Readonly<Record<string, SocketAddress["kind"][] | null>> = {
  ListenStream: ["tcp", "unix"],
  ListenDatagram: ["udp", "unixgram"],
  ListenSequentialPacket: ["seqpacket"],
  ListenFIFO: ["fifo"],
  ListenSpecial: null,
  ListenNetlink: null,
  ListenMessageQueue: null,
  ListenUSBFunction: null,
};

/** The settings that are an option of the socket, and how their values read. */
const NUMBERS: Readonly<
  Record<string, [SocketOption, (value: string) => number | undefined]>
> = {
  KeepAlive: ["keepAlive", readFlag],
  KeepAliveTimeSec: ["keepAliveTime", readWholeSeconds],
  KeepAliveIntervalSec: ["keepAliveInterval", readWholeSeconds],
  KeepAliveProbes: ["keepAliveProbes", parseInteger],
  NoDelay: ["noDelay", readFlag],
  DeferAcceptSec: ["deferAccept", readWholeSeconds],
  Priority: ["priority", parseInteger],
  ReceiveBuffer: ["receiveBuffer", parseSize],
  SendBuffer: ["sendBuffer", parseSize],
  IPTOS: ["typeOfService", parseTypeOfService],
  IPTTL: ["timeToLive", parseInteger],
  Mark: ["mark", parseInteger],
  FreeBind: ["freeBind", readFlag],
  ReusePort: ["reusePort", readFlag],
  Broadcast: ["broadcast", readFlag],
  PassCredentials: ["passCredentials", readFlag],
};

/** Which kinds of sockets an option is for; all, if it isn't here. */
const OPTION_KINDS: Readonly<
  Partial<Record<SocketOption, readonly SocketAddress["kind"][]>>
> = {
  keepAlive: ["tcp"],
  keepAliveTime: ["tcp"],
  keepAliveInterval: ["tcp"],
  keepAliveProbes: ["tcp"],
  noDelay: ["tcp"],
  deferAccept: ["tcp"],
  typeOfService: ["tcp", "udp"],
  timeToLive: ["tcp", "udp"],
  freeBind: ["tcp", "udp"],
  reusePort: ["tcp", "udp"],
  broadcast: ["udp"],
  passCredentials: ["unix", "unixgram", "seqpacket"],
};

/** The command is what is started: these say the same in other words. */
const OTHER_SECTIONS = ["Unit", "Install"];
const IMPLIED = ["Service"];

/** systemd's limit, unless `MaxConnections=` says otherwise. */
const MAX_CONNECTIONS = 64;

/**
 * Reads a socket unit.
 *
 * @param unit The unit's name, such as `web.socket`.
 * @param assignments What is in its file, and in files that add to it.
 * @param surroundings What the kernel and the environment say.
 * @throws {UsageError} If a value is wrong, or a socket can't be made.
 */
export function readSocketUnit(
  unit: string,
  assignments: readonly Assignment[],
  surroundings: UnitSurroundings,
): SocketUnit {
  const reader = new SocketUnitReader(unit, surroundings);
  for (const assignment of assignments) reader.read(assignment);
  return reader.result();
}

class SocketUnitReader {
  readonly #unit: string;
  readonly #surroundings: UnitSurroundings;
  readonly #notes: string[] = [];
  readonly #numbers = new Map<SocketOption, number>();
  #addresses: SocketAddress[] = [];
  #symlinks: string[] = [];
  #name: string;
  #backlog: number | undefined;
  #mode = 0o666;
  #directoryMode = 0o755;
  #ipv6Only: boolean;
  #keepPath = false;
  #pipeSize: number | undefined;
  #accept = false;
  #maxConnections = MAX_CONNECTIONS;

  constructor(unit: string, surroundings: UnitSurroundings) {
    this.#unit = unit;
    this.#name = unit;
    this.#surroundings = surroundings;
    this.#ipv6Only = surroundings.ipv6OnlyByDefault;
  }

  result(): SocketUnit {
    if (this.#addresses.length === 0) {
      throw new UsageError(
        `Reading ${this.#unit}: expected a setting that makes a socket, such ` +
          `as ListenStream=, found none`,
      );
    }
    return {
      specs: this.#addresses.map((address) => ({
        name: this.#name,
        address,
        options: this.#options(address),
      })),
      accept: this.#accept,
      maxConnections: this.#maxConnections,
      notes: this.#notes,
    };
  }

  #options({ kind }: SocketAddress): NonNullable<SocketSpec["options"]> {
    const hasPath = kind !== "tcp" && kind !== "udp";
    const numbers = Object.fromEntries(
      [...this.#numbers].filter(([option]) =>
        OPTION_KINDS[option]?.includes(kind) ?? kind !== "fifo"
      ),
    );
    return {
      ...(this.#backlog !== undefined && { backlog: this.#backlog }),
      ...(hasPath
        ? {
          mode: this.#mode,
          directoryMode: this.#directoryMode,
          keepPath: this.#keepPath,
          symlinks: this.#symlinks,
        }
        : { ipv6Only: this.#ipv6Only }),
      ...(kind === "fifo" && this.#pipeSize !== undefined &&
        { pipeSize: this.#pipeSize }),
      ...(Object.keys(numbers).length > 0 && { numbers }),
    };
  }

  read(assignment: Assignment): void {
    const { section, key, value, place } = assignment;
    if (OTHER_SECTIONS.includes(section)) return;
    if (section !== "Socket") {
      this.#notes.push(
        `${place}: the section [${section}] is not that of a socket unit, and ` +
          `has no effect`,
      );
      return;
    }
    if (IMPLIED.includes(key)) return;
    if (Object.hasOwn(LISTEN, key)) return this.#readListen(assignment);
    if (Object.hasOwn(NUMBERS, key)) {
      const [option, parse] = NUMBERS[key]!;
      if (value === "") this.#numbers.delete(option);
      else this.#numbers.set(option, required(assignment, parse(value)));
      return;
    }
    switch (key) {
      case "FileDescriptorName": {
        const name = this.#expand(assignment);
        if (name !== "" && !isName(name)) {
          throw wrong(
            assignment,
            "a name of 1 to 255 characters without colons or control characters",
          );
        }
        this.#name = name || this.#unit;
        return;
      }
      case "Backlog":
        this.#backlog = value === ""
          ? undefined
          : required(assignment, parseInteger(value));
        return;
      case "SocketMode":
        this.#mode = required(assignment, parseMode(value || "0666"));
        return;
      case "DirectoryMode":
        this.#directoryMode = required(assignment, parseMode(value || "0755"));
        return;
      case "BindIPv6Only":
        this.#ipv6Only = this.#readIpv6Only(assignment);
        return;
      case "RemoveOnStop":
        this.#keepPath = !required(assignment, parseBoolean(value || "yes"));
        return;
      case "PipeSize":
        this.#pipeSize = value === ""
          ? undefined
          : required(assignment, parseSize(value));
        return;
      case "Accept":
        this.#accept = required(assignment, parseBoolean(value || "no"));
        return;
      case "MaxConnections":
        this.#maxConnections = value === ""
          ? MAX_CONNECTIONS
          : required(assignment, parseInteger(value));
        return;
      case "Symlinks":
        this.#readSymlinks(assignment);
        return;
      default:
        this.#notes.push(
          `${place}: ${key}= is not supported, and has no effect`,
        );
    }
  }

  #expand({ value, place }: Assignment): string {
    return expandSpecifiers(value, this.#surroundings.specifiers, place);
  }

  #readListen(assignment: Assignment): void {
    const { key } = assignment;
    // Whichever of them is empty: all that came before is forgotten.
    if (assignment.value === "") {
      this.#addresses = [];
      return;
    }
    const kinds = LISTEN[key];
    if (kinds === null || kinds === undefined) {
      throw new UsageError(
        `Reading ${assignment.place}: ${key}= is not supported: the command ` +
          `would lack a descriptor`,
      );
    }
    const value = this.#expand(assignment);
    if (
      value.startsWith("/") || (value.startsWith("@") && key !== "ListenFIFO")
    ) {
      if (value === "@" || value.includes("\0")) {
        throw wrong(assignment, "a path or a name");
      }
      const kind = kinds.at(-1) as "unix" | "unixgram" | "seqpacket" | "fifo";
      this.#addresses.push({ kind, path: value });
      return;
    }
    if (kinds.length === 1) {
      const names = key === "ListenFIFO" ? "" : ', or "@" and a name';
      throw wrong(assignment, `an absolute path${names}`);
    }
    this.#addresses.push({
      kind: kinds[0] as "tcp" | "udp",
      ...this.#readInet(assignment, value),
    });
  }

  #readInet(
    assignment: Assignment,
    value: string,
  ): { hostname: string; port: number } {
    const [, ipv6, scope = "", ipv4, digits] =
      /^(?:\[([^\]%]*)(%[\w.-]+)?\]:|([0-9.]+):)?([0-9]+)$/.exec(value) ?? [];
    const port = Number(digits);
    const isAddress = (ipv6 === undefined || net.isIPv6(ipv6)) &&
      (ipv4 === undefined || net.isIPv4(ipv4));
    if (digits === undefined || !isAddress || port < 1 || port > 65535) {
      throw wrong(
        assignment,
        'a port from 1 to 65535, "IPV4:PORT", "[IPV6]:PORT", an absolute ' +
          'path, or "@" and a name',
      );
    }
    // A port alone is that of all addresses.
    const any = this.#surroundings.hasIpv6 ? "::" : "0.0.0.0";
    return {
      hostname: ipv4 ?? (ipv6 === undefined ? any : ipv6 + scope),
      port,
    };
  }

  #readIpv6Only(assignment: Assignment): boolean {
    switch (assignment.value) {
      case "":
      case "default":
        return this.#surroundings.ipv6OnlyByDefault;
      case "both":
        return false;
      case "ipv6-only":
        return true;
      default:
        throw wrong(assignment, '"default", "both" or "ipv6-only"');
    }
  }

  #readSymlinks(assignment: Assignment): void {
    if (assignment.value === "") {
      this.#symlinks = [];
      return;
    }
    const paths = this.#expand(assignment).split(/\s+/);
    if (!paths.every((path) => path.startsWith("/"))) {
      throw wrong(assignment, "absolute paths");
    }
    this.#symlinks.push(...paths);
  }
}

function readFlag(value: string): number | undefined {
  const flag = parseBoolean(value);
  return flag === undefined ? undefined : Number(flag);
}

function readWholeSeconds(value: string): number | undefined {
  const seconds = parseSeconds(value);
  return seconds === undefined ? undefined : Math.ceil(seconds);
}

function required<T>(assignment: Assignment, value: T | undefined): T {
  if (value === undefined) throw wrong(assignment, "a value that it can have");
  return value;
}

function wrong(
  { key, value, place }: Assignment,
  expected: string,
): UsageError {
  return new UsageError(
    `Reading ${place}: expected ${key}= to be ${expected}, found ` +
      quote(value),
  );
}
