/**
 * Text of service units.
 *
 * @module
 */

import type { RuntimeName } from "../../core/types.ts";
import {
  commandLine,
  environmentWord,
  pathValue,
  plainValue,
} from "../shared/systemd/unit_text.ts";
import { TITLES } from "../shared/use.ts";
import {
  INSTANCE_RESTART,
  instanceInstall,
  instanceLines,
} from "./target_file.ts";
import { notifyLines } from "./notify.ts";
import type { UnitFile, UnitPair, UnitPlan } from "./plan.ts";

/** Creates the service that a list of socket units starts. */
export function serviceFile(
  plan: UnitPlan,
  name: string,
  pairs: readonly UnitPair[],
): UnitFile {
  const { command, accept, instances, envFile, workingDirectory } = plan;
  const sockets = pairs.map(({ socket }) => socket).join(" ");
  const when = accept
    ? `for each connection to ${sockets}`
    : instances !== undefined
    ? `with ${plan.name}.target, on the first connection to ${sockets}`
    : `on the first connection to ${sockets}`;
  const description = plainValue(formatDescription(plan), "description");
  return {
    name,
    text: `${
      [
        `# ${name}: started ${when}.`,
        "",
        "[Unit]",
        `Description=${description}${
          instances === undefined ? "" : ": instance %i"
        }`,
        ...unitLines(plan, pairs.length, sockets),
        "",
        "[Service]",
        ...notifyLines(plan.notify, instances !== undefined),
        ...instances === undefined ? [] : INSTANCE_RESTART,
        ...socketLines(plan, pairs.length, sockets),
        ...NON_BLOCKING,
        ...commandComment(command.runtime, command.words),
        ...command.isPreloaded ? PRELOADED : [],
        `ExecStart=${commandLine(command.words)}`,
        ...workingDirectory === undefined
          ? []
          : [`WorkingDirectory=${pathValue(workingDirectory, "directory")}`],
        ...envFile === undefined ? [] : [
          "# systemd reads the file: the service itself needs no access to it.",
          `EnvironmentFile=${escapeGlob(pathValue(envFile, "file"))}`,
        ],
        ...command.runtime === "deno" ? denoCache(plan) : [],
        ...command.environment.map((word) =>
          `Environment=${environmentWord(word.replaceAll("%", "%%"))}`
        ),
        "",
        ...userLines(plan),
        ...hardening(plan),
        ...instances === undefined ? [] : instanceInstall(plan),
      ].join("\n")
    }\n`,
  };
}

/**
 * Returns what a service requires.
 *
 * @param count The number of the socket units.
 * @param sockets Their names.
 */
function unitLines(
  plan: UnitPlan,
  count: number,
  sockets: string,
): readonly string[] {
  if (plan.accept) return ACCEPT_UNIT;
  const passed = count > 1
    ? "the sockets first and passes them on"
    : "the socket first and passes it on";
  return [
    `# A start by hand also binds ${passed}.`,
    `Requires=${sockets}`,
    `After=${sockets}`,
    ...plan.instances === undefined ? [] : instanceLines(plan, plan.instances),
  ];
}

/**
 * Returns which sockets are passed, where these aren't the service's own.
 *
 * @param count The number of the socket units.
 * @param sockets Their names.
 */
function socketLines(
  { instances }: UnitPlan,
  count: number,
  sockets: string,
): string[] {
  const setting = `Sockets=${sockets}`;
  if (instances !== undefined) {
    return [
      "# Each instance gets all sockets. Their order isn't fixed: the program must use",
      "# their names.",
      setting,
    ];
  }
  return count === 1 ? [] : [
    "# All sockets are passed, whichever is connected to first. Their order isn't",
    "# fixed: the program must use their names.",
    setting,
  ];
}

/** Returns the description, or a default with the name and the runtime. */
export function formatDescription(
  { description, name, command }: UnitPlan,
): string {
  const { runtime } = command;
  return description ??
    `${name}${runtime === undefined ? "" : `, on ${TITLES[runtime]}`}`;
}

/** Escapes a path where systemd accepts a pattern, such as `*.env`. */
function escapeGlob(path: string): string {
  return path.replace(/[\\*?[]/g, "\\$&");
}

const ACCEPT_UNIT = [
  "# Failed processes are unloaded, because there may be very many.",
  "CollectMode=inactive-or-failed",
];

const NON_BLOCKING = [
  "# systemd makes sockets blocking each time a service starts, by default.",
  "# On a socket of several services or instances, the others would hang then.",
  "NonBlocking=yes",
];

const PRELOADED = [
  "# The preload gives the program the sockets that LISTENFDS_MAP has for the",
  "# addresses it asks for, or that have these addresses themselves.",
];

function commandComment(
  runtime: RuntimeName | undefined,
  words: readonly string[],
): string[] {
  switch (runtime) {
    case "deno":
      return [
        "# --no-prompt and --cached-only: a service must not ask or download.",
        ...words.includes("--allow-ffi")
          ? [
            "# --allow-ffi: the C library moves Deno's own servers onto the inherited",
            "# sockets; the other flags allow the placeholder that they start on.",
          ]
          : [
            "# No --allow-net: an inherited socket needs no permission.",
          ],
      ];
    case "bun":
      return ["# --no-install: a service must not download."];
    default:
      return [];
  }
}

/** Returns the settings for the cache of compiled code. */
function denoCache({ name, accept, instances, user }: UnitPlan): string[] {
  const vendor = [
    "# Imported packages must be next to the program: in deno.json, set",
    '# "nodeModulesDir": "auto" and "vendor": true, and run "deno install".',
  ];
  if (accept && user === undefined) {
    return [
      "# Cache for Deno's compiled code. The processes can't share a CacheDirectory=,",
      "# because each has its own user.",
      ...vendor,
      `Environment=${environmentWord("DENO_DIR=/tmp/deno")}`,
    ];
  }
  const isShared = instances === undefined || user !== undefined;
  const directory = isShared ? name : `${name}-%i`;
  return [
    "# Cache for Deno's compiled code; without it, the start is slower.",
    ...isShared
      ? []
      : ["# Each instance has its own, because each has its own user."],
    ...vendor,
    `CacheDirectory=${directory}`,
    `Environment=${environmentWord(`DENO_DIR=%C/${directory}`)}`,
  ];
}

function userLines({ user }: UnitPlan): string[] {
  return user === undefined
    ? [
      "# A separate user while the service runs. The setting implies NoNewPrivileges=,",
      "# ProtectSystem=strict, PrivateTmp= and RestrictSUIDSGID=; they are listed in",
      "# case you set User= instead.",
      "DynamicUser=yes",
    ]
    : [`User=${plainValue(user, "user")}`];
}

function hardening({ command, needsHome }: UnitPlan): string[] {
  return [
    "NoNewPrivileges=yes",
    "# systemd binds the sockets, also to ports below 1024: no capability is needed.",
    "CapabilityBoundingSet=",
    "# Only /tmp and a CacheDirectory= or StateDirectory= are writable.",
    "ProtectSystem=strict",
    "# A private /tmp.",
    "PrivateTmp=yes",
    ...needsHome
      ? [
        "# The program is in a home directory: the service may read there, but not write.",
        "ProtectHome=read-only",
      ]
      : [
        "# Also hides a runtime that is installed in a home directory.",
        "ProtectHome=yes",
      ],
    "PrivateDevices=yes",
    "# A service needs no access to the kernel's settings, modules, log and clock, nor",
    "# to other users' processes.",
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
    "# Families of new sockets; inherited sockets work regardless. Netlink is needed to",
    "# resolve host names and to list network interfaces.",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "# A refused system call returns an error instead of killing the runtime.",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "SystemCallArchitectures=native",
    command.runtime === undefined
      ? "# A JIT compiler writes and executes code; without one, this can be yes."
      : `# The JIT compiler of ${
        TITLES[command.runtime]
      } writes and executes code.`,
    "MemoryDenyWriteExecute=no",
  ];
}
