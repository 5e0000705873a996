/**
 * Reads socket units (`systemd.socket(5)`) into sockets to bind.
 *
 * An unsupported setting is an error if the command would get other descriptors
 * than under systemd; otherwise it becomes a note.
 *
 * @module
 */

import { quote, quoteUnlessPlain } from "../../core/errors.ts";
import type { SocketOption } from "../../ffi/sockets.ts";
import {
  isDescriptorName,
  type SocketAddress,
  type SocketSettings,
  type SocketSpec,
} from "../shared/socket_spec.ts";
import {
  type Assignment,
  expandSpecifiers,
  invalidValue,
} from "../shared/systemd/unit_file.ts";
import {
  parseBoolean,
  parseInteger,
  parseMode,
  parseSize,
} from "../shared/systemd/values.ts";
import { UsageError } from "../shared/verb.ts";
import { closestWord } from "../shared/suggestion.ts";
import { KNOWN_SETTINGS } from "../shared/systemd/known_settings.ts";
import { isListenSetting, parseListenSetting } from "./listen_setting.ts";
import { OPTION_SETTINGS } from "./socket_options.ts";

/** Content of a socket unit. */
export interface SocketUnit {
  /** Sockets in order. */
  readonly specs: readonly SocketSpec[];
  /** True if a command is started for each connection. */
  readonly accept: boolean;
  /** Limit of concurrent connections with `accept`. */
  readonly maxConnections: number;
  /** Settings without an effect, in words. */
  readonly notes: readonly string[];
}

/** State of the machine that values of a unit depend on. */
export interface UnitContext {
  /** Values of specifiers by their letters. */
  readonly specifiers: Readonly<Record<string, string>>;
  /** True if the machine has IPv6. */
  readonly hasIpv6: boolean;
  /** Meaning of `BindIPv6Only=default`. */
  readonly ipv6OnlyByDefault: boolean;
}

/** Sections of a socket unit. */
const SECTIONS = [...KNOWN_SETTINGS.keys()];
/** Settings that the command replaces. */
const IGNORED_SETTINGS = ["Service"];

/** Default of `MaxConnections=`. */
const DEFAULT_MAX_CONNECTIONS = 64;

/** Values of a unit while it is read. */
interface UnitValues {
  name: string;
  addresses: SocketAddress[];
  symlinks: string[];
  backlog: number | undefined;
  mode: number;
  directoryMode: number;
  ipv6Only: boolean;
  keepPath: boolean;
  pipeSize: number | undefined;
  accept: boolean;
  maxConnections: number;
  /** Options with the kinds of sockets that have them. */
  readonly options: Map<
    SocketOption,
    { readonly value: number; readonly kinds: readonly string[] }
  >;
}

/** Reads a unit from the assignments in its file and its drop-ins. */
export function readSocketUnit(
  unit: string,
  assignments: readonly Assignment[],
  context: UnitContext,
): SocketUnit {
  const values: UnitValues = {
    name: unit,
    addresses: [],
    symlinks: [],
    backlog: undefined,
    mode: 0o666,
    directoryMode: 0o755,
    ipv6Only: context.ipv6OnlyByDefault,
    keepPath: false,
    pipeSize: undefined,
    accept: false,
    maxConnections: DEFAULT_MAX_CONNECTIONS,
    options: new Map(),
  };
  const notes: string[] = [];
  for (const assignment of assignments) {
    const { section, key } = assignment;
    if (section !== "Socket") {
      notes.push(...describeIgnored(assignment));
    } else if (isListenSetting(key)) {
      readListen(values, assignment, context);
    } else if (Object.hasOwn(OPTION_SETTINGS, key)) {
      readOption(values, assignment);
    } else if (Object.hasOwn(SETTINGS, key)) {
      SETTINGS[key]!(values, assignment, unit, context);
    } else if (!IGNORED_SETTINGS.includes(key)) {
      notes.push(...describeIgnored(assignment));
    }
  }
  if (values.addresses.length === 0) {
    throw new UsageError(
      `Reading ${
        quoteUnlessPlain(unit)
      }: expected a setting that creates a socket, such as ` +
        `ListenStream=, found none`,
    );
  }
  return {
    specs: values.addresses.map((address) => ({
      name: values.name,
      address,
      settings: settingsFor(values, address.kind),
    })),
    accept: values.accept,
    maxConnections: values.maxConnections,
    notes,
  };
}

/** Describes a setting without an effect; those of other sections are expected. */
function describeIgnored({ section, key, place }: Assignment): string[] {
  const known = KNOWN_SETTINGS.get(section);
  if (known === undefined) {
    const meant = closestWord(section, SECTIONS);
    return [
      `${place}: the section [${quoteUnlessPlain(section)}] is not that of a ` +
      `socket unit, and has no effect` +
      (meant === undefined ? "" : `: did you mean [${meant}]?`),
    ];
  }
  if (known.includes(key)) {
    return section === "Socket"
      ? [`${place}: ${key}= is not supported, and has no effect`]
      : [];
  }
  const other = SECTIONS.find((name) =>
    KNOWN_SETTINGS.get(name)!.includes(key)
  );
  if (other !== undefined) {
    return [
      `${place}: ${key}= has no effect in [${section}]: it belongs to [${other}]`,
    ];
  }
  const meant = closestWord(key, known);
  return [
    `${place}: unknown setting ${quoteUnlessPlain(key)}=, ` +
    (meant === undefined
      ? "which has no effect"
      : `did you mean ${meant}=? It has no effect`),
  ];
}

function readListen(
  values: UnitValues,
  assignment: Assignment,
  context: UnitContext,
): void {
  // An empty value of any Listen…= setting removes all addresses before it.
  if (assignment.value === "") values.addresses = [];
  else {
    const value = expand(assignment, context);
    values.addresses.push(
      parseListenSetting(
        { ...assignment, value },
        context.hasIpv6 ? "::" : "0.0.0.0",
      ),
    );
  }
}

function readOption(values: UnitValues, assignment: Assignment): void {
  const { option, parse, kinds } = OPTION_SETTINGS[assignment.key]!;
  if (assignment.value === "") {
    values.options.delete(option);
  } else {
    values.options.set(option, { value: required(assignment, parse), kinds });
  }
}

/** Reads each of the other settings; an empty value means the default. */
const SETTINGS: Readonly<
  Record<
    string,
    (
      values: UnitValues,
      assignment: Assignment,
      unit: string,
      context: UnitContext,
    ) => void
  >
> = {
  FileDescriptorName(values, assignment, unit, context) {
    const name = expand(assignment, context) || unit;
    if (!isDescriptorName(name)) {
      throw invalidValue(
        assignment,
        "a name of 1 to 255 characters without colons or control characters",
      );
    }
    values.name = name;
  },
  Backlog(values, assignment) {
    values.backlog = optional(assignment, parseUnitBacklog);
  },
  SocketMode(values, assignment) {
    values.mode = optional(assignment, parseMode) ?? 0o666;
  },
  DirectoryMode(values, assignment) {
    values.directoryMode = optional(assignment, parseMode) ?? 0o755;
  },
  BindIPv6Only(values, assignment, _, { ipv6OnlyByDefault }) {
    const meanings = new Map([
      ["", ipv6OnlyByDefault],
      ["default", ipv6OnlyByDefault],
      ["both", false],
      ["ipv6-only", true],
    ]);
    // systemd also takes a boolean, "yes" for "ipv6-only".
    const ipv6Only = meanings.get(assignment.value) ??
      parseBoolean(assignment.value);
    if (ipv6Only === undefined) {
      throw invalidValue(
        assignment,
        '"default", "both", "ipv6-only", or "yes" or "no"',
      );
    }
    values.ipv6Only = ipv6Only;
  },
  SocketProtocol({ name }, assignment) {
    // A socket of Multipath TCP is used like one of TCP.
    if (["", "mptcp"].includes(assignment.value)) return;
    throw new UsageError(
      `Reading ${assignment.place}: SocketProtocol= is not supported: ` +
        `${
          quote(name)
        } would be a socket of another protocol: remove the setting`,
    );
  },
  RemoveOnStop(values, assignment) {
    values.keepPath = !(optional(assignment, parseBoolean) ?? true);
  },
  PipeSize(values, assignment) {
    values.pipeSize = optional(assignment, parseSize);
  },
  Accept(values, assignment) {
    values.accept = optional(assignment, parseBoolean) ?? false;
  },
  MaxConnections(values, assignment) {
    values.maxConnections = optional(assignment, parseInteger) ??
      DEFAULT_MAX_CONNECTIONS;
  },
  Symlinks(values, assignment, _, context) {
    if (assignment.value === "") {
      values.symlinks = [];
      return;
    }
    const paths = expand(assignment, context).split(/\s+/);
    if (!paths.every((path) => path.startsWith("/"))) {
      throw invalidValue(assignment, "absolute paths");
    }
    values.symlinks = values.symlinks.concat(paths);
  },
};

/** Selects the settings that a kind of socket has. */
function settingsFor(
  values: UnitValues,
  kind: SocketAddress["kind"],
): SocketSettings {
  const { backlog, mode, directoryMode, keepPath, symlinks, pipeSize } = values;
  const numbers = Object.fromEntries(
    [...values.options].flatMap(([option, { value, kinds }]) =>
      kinds.includes(kind) ? [[option, value]] : []
    ),
  );
  return {
    ...(backlog !== undefined && { backlog }),
    ...(kind === "tcp" || kind === "udp"
      ? { ipv6Only: values.ipv6Only }
      : { mode, directoryMode, keepPath, symlinks }),
    ...(kind === "fifo" && pipeSize !== undefined && { pipeSize }),
    ...(Object.keys(numbers).length > 0 && { numbers }),
  };
}

/** Parses a backlog; `4294967295` is systemd's default and means no limit. */
function parseUnitBacklog(value: string): number | undefined {
  return value === "4294967295" ? 2 ** 31 - 1 : parseInteger(value);
}

function expand({ value, place }: Assignment, context: UnitContext): string {
  return expandSpecifiers(value, context.specifiers, place);
}

function optional<T>(
  assignment: Assignment,
  parse: (value: string) => T | undefined,
): T | undefined {
  return assignment.value === "" ? undefined : required(assignment, parse);
}

function required<T>(
  assignment: Assignment,
  parse: (value: string) => T | undefined,
): T {
  const value = parse(assignment.value);
  if (value === undefined) {
    throw invalidValue(assignment, "a valid value");
  }
  return value;
}
