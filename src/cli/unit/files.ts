/**
 * The text of units: a service, and the sockets that start it.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import type { RuntimeName } from "../../runtime/versions.ts";
import type { ServiceCommand } from "./command.ts";
import {
  commandLine,
  environmentWord,
  plainValue,
} from "../shared/systemd/unit_text.ts";
import { TITLES } from "../shared/use.ts";
import { UsageError } from "../shared/verb.ts";

/** A unit. */
export interface UnitFile {
  /** The name of its file. */
  readonly name: string;
  readonly text: string;
}

/** The sockets of one name. */
export interface NamedSockets {
  /** The name that the descriptors get. */
  readonly name: string;
  /** `ListenStream=127.0.0.1:80` and the like, written. */
  readonly listen: readonly string[];
  readonly hasIpv6: boolean;
  readonly hasPath: boolean;
  readonly hasStream: boolean;
}

/** What the units are to be. */
export interface UnitPlan {
  /** The name of the service, without its type. */
  readonly name: string;
  readonly description: string | undefined;
  readonly sockets: readonly NamedSockets[];
  readonly command: ServiceCommand;
  /** Whether there is one process for each connection. */
  readonly accept: boolean;
  readonly backlog: number | undefined;
  readonly socketMode: string | undefined;
  readonly socketGroup: string | undefined;
  /** Who the service runs as; a user of its own by default. */
  readonly user: string | undefined;
  readonly envFile: string | undefined;
  readonly workingDirectory: string | undefined;
  /** Whether a path that it needs is in somebody's home. */
  readonly needsHome: boolean;
}

/** The longest name of a unit, with its type. */
const NAME_LIMIT = 255;

/** A socket unit, and the service that it starts. */
interface Pair {
  readonly socket: string;
  readonly service: string;
  readonly sockets: NamedSockets;
}

/**
 * Writes the units.
 *
 * @param plan What they are to be.
 * @returns The units: services first.
 * @throws {UsageError} If a text can't be written into a unit.
 */
export function unitFiles(plan: UnitPlan): UnitFile[] {
  const pairs = pairsOf(plan);
  for (
    const name of pairs.flatMap(({ socket, service }) => [socket, service])
  ) {
    if (name.length <= NAME_LIMIT) continue;
    throw new UsageError(
      `Naming the unit ${quote(name)}: it is too long, systemd takes ` +
        `${NAME_LIMIT} characters: choose a shorter name`,
    );
  }
  // With a process for each connection, a socket's name is that of its service.
  const services = plan.accept
    ? pairs.map((pair) => serviceFile(plan, pair.service, [pair]))
    : [serviceFile(plan, `${plan.name}.service`, pairs)];
  return [...services, ...pairs.map((pair) => socketFile(plan, pair))];
}

function pairsOf({ name, sockets, accept }: UnitPlan): Pair[] {
  const taken = new Set<string>();
  return sockets.map((each) => {
    let base = name;
    if (sockets.length > 1) {
      // Not every name of a descriptor can be that of a file.
      const suffix = each.name.replace(/[^\w.-]+/g, "_");
      base = `${name}-${suffix}`;
      for (let next = 2; taken.has(base); next++) {
        base = `${name}-${suffix}-${next}`;
      }
      taken.add(base);
    }
    return {
      socket: `${base}.socket`,
      service: accept ? `${base}@.service` : `${name}.service`,
      sockets: each,
    };
  });
}

function descriptionOf({ description, name, command }: UnitPlan): string {
  const { runtime } = command;
  return description ??
    `${name}${runtime === undefined ? "" : `, on ${TITLES[runtime]}`}`;
}

function join(lines: readonly (string | readonly string[])[]): string {
  return `${lines.flat().join("\n")}\n`;
}

function serviceFile(
  plan: UnitPlan,
  name: string,
  pairs: readonly Pair[],
): UnitFile {
  const { command, accept, envFile, workingDirectory } = plan;
  const sockets = pairs.map(({ socket }) => socket).join(" ");
  const when = accept
    ? `for each connection to ${sockets}`
    : `on the first connection to ${sockets}`;
  const description = plainValue(descriptionOf(plan), "description");
  return {
    name,
    text: join([
      `# ${name}: started ${when}.`,
      "",
      "[Unit]",
      `Description=${description}`,
      ...accept ? ACCEPT_UNIT : [
        `# Also when it is started by hand, its socket${
          pairs.length > 1 ? "s are" : " is"
        } bound first and handed over.`,
        `Requires=${sockets}`,
        `After=${sockets}`,
      ],
      "",
      "[Service]",
      "# A program that can't be executed fails the start (Type=simple doesn't wait).",
      "Type=exec",
      ...pairs.length > 1
        ? [
          "# All of them are handed over, whichever is connected to first. Their order",
          "# isn't fixed: the program tells them apart by name.",
          `Sockets=${sockets}`,
        ]
        : [],
      ...commandComment(command.runtime, command.words),
      `ExecStart=${commandLine(command.words)}`,
      ...workingDirectory === undefined
        ? []
        : [`WorkingDirectory=${plainValue(workingDirectory, "folder")}`],
      ...envFile === undefined ? [] : [
        "# Read by systemd: the service itself needs no access to it.",
        `EnvironmentFile=${globValue(plainValue(envFile, "file"))}`,
      ],
      ...command.runtime === "deno" ? denoCache(plan) : [],
      "",
      ...userLines(plan),
      ...hardening(plan),
    ]),
  };
}

/** A path where systemd takes a pattern, such as `*.env`. */
function globValue(path: string): string {
  return path.replace(/[\\*?[]/g, "\\$&");
}

const ACCEPT_UNIT = [
  "# Processes that failed are forgotten: there may be very many.",
  "CollectMode=inactive-or-failed",
];

function commandComment(
  runtime: RuntimeName | undefined,
  words: readonly string[],
): string[] {
  switch (runtime) {
    case "deno":
      return [
        "# --no-prompt and --cached-only: a service neither asks nor downloads.",
        ...words.includes("--allow-ffi")
          ? [
            "# --allow-ffi: Deno's own servers are put onto the inherited sockets through",
            "# the C library, after they were made on a placeholder (the flags beside it).",
          ]
          : [
            "# No --allow-net: an inherited socket needs no permission.",
          ],
      ];
    case "bun":
      return ["# --no-install: a service downloads nothing."];
    default:
      return [];
  }
}

/** Where Deno keeps what it has compiled. */
function denoCache({ name, accept, user }: UnitPlan): string[] {
  const beside = [
    "# What the program imports has to be beside it: in deno.json, set",
    '# "nodeModulesDir": "auto" and "vendor": true, and run "deno install".',
  ];
  if (accept && user === undefined) {
    return [
      "# Deno keeps compiled code here. Each process has a user of its own: they can't",
      "# share a CacheDirectory=.",
      ...beside,
      `Environment=${environmentWord("DENO_DIR=/tmp/deno")}`,
    ];
  }
  return [
    "# Deno keeps compiled code here; it would start without, but slower.",
    ...beside,
    `CacheDirectory=${name}`,
    `Environment=${environmentWord(`DENO_DIR=%C/${name}`)}`,
  ];
}

function userLines({ user }: UnitPlan): string[] {
  return user === undefined
    ? [
      "# A user of its own, only while it runs. That implies NoNewPrivileges=,",
      "# ProtectSystem=strict, PrivateTmp= and RestrictSUIDSGID=; they are listed for",
      "# those who set User=.",
      "DynamicUser=yes",
    ]
    : [`User=${plainValue(user, "user")}`];
}

function hardening({ command, needsHome }: UnitPlan): string[] {
  return [
    "NoNewPrivileges=yes",
    "# systemd binds the sockets, ports below 1024 too: no capability is needed.",
    "CapabilityBoundingSet=",
    "# Nothing can be written to, except /tmp and a CacheDirectory= or StateDirectory=.",
    "ProtectSystem=strict",
    "# A /tmp of its own.",
    "PrivateTmp=yes",
    ...needsHome
      ? [
        "# The program is in somebody's home: the service may read there, not write.",
        "ProtectHome=read-only",
      ]
      : [
        "# Also hides a runtime that is installed in somebody's home.",
        "ProtectHome=yes",
      ],
    "PrivateDevices=yes",
    "# The kernel's settings, modules, log and clock, and other users' processes, are",
    "# of no use to a service.",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectProc=invisible",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "# What it may connect with; what it inherits works whatever stands here. Netlink",
    "# is for looking names up, and for listing network interfaces.",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "# A refused system call fails, and the runtime does without; it isn't killed.",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "SystemCallArchitectures=native",
    command.runtime === undefined
      ? "# A JIT compiler writes code and executes it; without one, this can be yes."
      : `# The JIT compiler of ${
        TITLES[command.runtime]
      } writes code and executes it.`,
    "MemoryDenyWriteExecute=no",
  ];
}

function socketFile(
  plan: UnitPlan,
  { socket, service, sockets }: Pair,
): UnitFile {
  const { name, accept, backlog, socketMode, socketGroup } = plan;
  const description = plainValue(descriptionOf(plan), "description");
  const isSame = service === `${socket.slice(0, -".socket".length)}.service`;
  const shown = quote(sockets.name);
  return {
    name: socket,
    text: join([
      `# ${socket}: the descriptors named ${
        accept ? '"connection"' : shown
      }, for ${service}.`,
      "# After it was installed: systemctl daemon-reload, and",
      `# systemctl enable --now ${socket}`,
      "",
      "[Unit]",
      `Description=${description}: ${
        plan.sockets.length > 1 ? `sockets of ${name}` : "its sockets"
      }`,
      "",
      "[Socket]",
      ...accept
        ? [
          "# A process for each connection, which is handed over under the name",
          '# "connection", whatever FileDescriptorName= says.',
          "Accept=yes",
        ]
        : [`FileDescriptorName=${plainValue(sockets.name, "name")}`],
      ...sockets.listen,
      ...sockets.hasIpv6
        ? [
          "# IPv6 alone: else [::] would take IPv4 connections, too, and 0.0.0.0 with the",
          "# same port could not be bound beside it.",
          "BindIPv6Only=ipv6-only",
        ]
        : [],
      ...backlog === undefined || !sockets.hasStream ? [] : [
        "# How many connections may wait; no more than net.core.somaxconn.",
        `Backlog=${backlog}`,
      ],
      ...sockets.hasPath ? modeLines(socketMode, socketGroup) : [],
      ...isSame || accept ? [] : [
        "# It has another name than its service.",
        `Service=${service}`,
      ],
      "",
      "[Install]",
      "WantedBy=sockets.target",
    ]),
  };
}

function modeLines(
  mode: string | undefined,
  group: string | undefined,
): string[] {
  return [
    ...mode === undefined && group === undefined
      ? [
        "# Every user may connect. With SocketMode=0660, root and the group in",
        "# SocketGroup= may.",
        "SocketMode=0666",
      ]
      : [
        "# Who may connect.",
        `SocketMode=${mode ?? "0660"}`,
        ...group === undefined
          ? []
          : [`SocketGroup=${plainValue(group, "group")}`],
      ],
  ];
}
