/**
 * What each runtime can do with a descriptor.
 *
 * @module
 */

import type { DescriptorInfo, SocketInfo } from "../../core/info.ts";
import { isFileInfo } from "../../core/info.ts";
import type { UsableKind } from "../../core/kinds.ts";
import {
  NATIVE_VERSIONS,
  PORTABLE_VERSIONS,
  type RuntimeName,
} from "../../runtime/versions.ts";

/** The runtimes, in the order in which they are shown. */
export const RUNTIMES: readonly RuntimeName[] = ["deno", "bun", "node"];

/** The runtimes' names in messages. */
export const TITLES: Readonly<Record<RuntimeName, string>> = {
  deno: "Deno",
  bun: "Bun",
  node: "Node",
};

/** A way to use a descriptor. */
export interface Way {
  /** The first version of the runtime that can. */
  readonly since: string;
  /** The functions to use. */
  readonly api: string;
  /** The flags that the runtime needs for it, beside those for the variables. */
  readonly needs: readonly string[];
}

/** What a runtime can do with a descriptor. */
export interface Use {
  /** With the runtime's own servers. */
  readonly native: Way | undefined;
  /** With `node:net` and its relatives, or the neutral entry point. */
  readonly portable: Way | undefined;
  /**
   * Why there is no way, or one less; `undefined` if nothing is to be said.
   */
  readonly reason: string | undefined;
  /** Whether it can't be told, since the descriptor's kind can't be. */
  readonly isUnknown: boolean;
}

/** The best of what can be done. */
export type Verdict = "native" | "portable" | "none" | "unknown";

/** The best of what a runtime can do with a descriptor. */
export function verdictOf({ native, portable, isUnknown }: Use): Verdict {
  if (native !== undefined) return "native";
  if (portable !== undefined) return "portable";
  return isUnknown ? "unknown" : "none";
}

/** The functions of the library for each kind. */
const PORTABLE_API: Readonly<Record<UsableKind, string>> = {
  "stream-listener": "serve(), listen(), or listen() of ./node",
  "stream-connection": "connection()",
  "datagram": "bind() of ./node",
};

const NATIVE_API: Readonly<
  Record<RuntimeName, Readonly<Partial<Record<UsableKind, string>>>>
> = {
  deno: {
    "stream-listener": "serve(), listen(), listenTls() of ./deno",
    "datagram": "listenDatagram() of ./deno",
  },
  bun: {
    "stream-listener": "serve(), listen() of ./bun",
    "datagram": "udpSocket() of ./bun",
  },
  node: PORTABLE_API,
};

/**
 * Judges what a runtime can do with a descriptor.
 *
 * @param runtime The runtime.
 * @param info What is known of the descriptor.
 * @returns What it can do, from which version on, and why not more.
 */
export function judgeUse(runtime: RuntimeName, info: DescriptorInfo): Use {
  const title = TITLES[runtime];
  switch (info.kind) {
    case "stream-listener":
      if (info.family === "vsock") return vsockListener(runtime, info.kind);
      return isUsual(info) ? listener(runtime, info.kind, info) : UNTRIED;
    case "stream-connection":
      return isUsual(info)
        ? { ...ways(runtime, info.kind, info), ...ANY }
        : UNTRIED;
    case "datagram":
      return datagram(runtime, info.kind, info);
    case "seqpacket-listener":
    case "seqpacket-connection":
    case "raw":
    case "netlink":
      return none(
        `${title} has no ${
          KIND_WORDS[info.kind]
        } sockets: use a stream or UDP ` +
          `socket`,
      );
    case "socket":
      if (info.listening === false) {
        return none(
          "it neither listens nor is connected: set ListenStream= in the " +
            "socket unit, which listens",
        );
      }
      return unknown("no more is known than that it is a socket");
    case "unknown":
      return unknown("what it is can't be told here");
    case "closed":
      return none("it is not open");
    case "message-queue":
      return none(`${title} has no message queues: use a socket`);
    case "other":
      return none("it is neither a socket nor a file that can be read");
    default:
      return fileUse(runtime, info);
  }
}

const ANY = { reason: undefined, isUnknown: false } as const;

/** The families that all of the library is tested with. */
function isUsual({ family }: SocketInfo): boolean {
  return family === "ipv4" || family === "ipv6" || family === "unix";
}

const KIND_WORDS = {
  "seqpacket-listener": "sequential packet",
  "seqpacket-connection": "sequential packet",
  "raw": "raw",
  "netlink": "netlink",
} as const;

function none(reason: string): Use {
  return { native: undefined, portable: undefined, reason, isUnknown: false };
}

function unknown(reason: string): Use {
  return { ...none(reason), isUnknown: true };
}

const UNTRIED: Use = unknown("nobody has tried sockets of this family");

/** The ways that there are for sockets of TCP, UDP and the Unix family. */
function ways(
  runtime: RuntimeName,
  kind: UsableKind,
  { family }: SocketInfo,
): Pick<Use, "native" | "portable"> {
  const native = NATIVE_VERSIONS[runtime][kind];
  const portable = PORTABLE_VERSIONS[runtime][kind];
  return {
    native: native === undefined ? undefined : {
      since: native,
      api: NATIVE_API[runtime][kind]!,
      needs: runtime === "deno" ? denoFlags(kind, family === "unix") : [],
    },
    portable: portable === undefined
      ? undefined
      : { since: portable, api: PORTABLE_API[kind], needs: [] },
  };
}

/**
 * The flags that Deno's own servers need on inherited sockets: for the C
 * library, and for a placeholder.
 *
 * @param kind What the sockets are.
 * @param isUnix Whether they are of the Unix family.
 * @returns The flags.
 */
export function denoFlags(kind: UsableKind, isUnix: boolean): string[] {
  return [
    "--allow-ffi",
    // Deno 2.9 asks for it for a path, too.
    "--allow-net",
    ...isUnix ? ["--allow-read", "--allow-write"] : [],
    ...kind === "datagram" ? ["--unstable-net"] : [],
  ];
}

function listener(
  runtime: RuntimeName,
  kind: UsableKind,
  info: SocketInfo,
): Use {
  const both = ways(runtime, kind, info);
  // A placeholder is made in the same family, and the address shown is its own.
  return runtime === "node" || info.address !== undefined
    ? { ...both, ...ANY }
    : {
      ...both,
      native: undefined,
      reason: `its address can't be told, which ${TITLES[runtime]}'s own ` +
        `servers need`,
      isUnknown: false,
    };
}

function vsockListener(runtime: RuntimeName, kind: UsableKind): Use {
  const title = TITLES[runtime];
  const refused = `${title} knows no sockets of virtual machines`;
  if (runtime !== "bun") return none(refused);
  return {
    native: undefined,
    portable: {
      since: PORTABLE_VERSIONS.bun[kind]!,
      api: PORTABLE_API[kind],
      needs: [],
    },
    reason: "Bun's own servers know no sockets of virtual machines",
    isUnknown: false,
  };
}

function datagram(
  runtime: RuntimeName,
  kind: UsableKind,
  info: SocketInfo,
): Use {
  const { family } = info;
  if (family === "ipv4" || family === "ipv6") {
    return {
      ...ways(runtime, kind, info),
      ...ANY,
      ...runtime === "deno" && {
        reason: "Deno's node:dgram takes no descriptor: only its own " +
          "listenDatagram() of ./deno does",
      },
    };
  }
  if (family !== "unix") return UNTRIED;
  return none(
    `${
      TITLES[runtime]
    } has no way to take over a datagram socket that is not ` +
      `UDP: use ListenDatagram= with a port`,
  );
}

/** From which version on `node:fs` takes descriptors that were inherited. */
const FILES_SINCE = { bun: "1.2", node: "22.0" } as const;

function fileUse(runtime: RuntimeName, info: DescriptorInfo): Use {
  if (!isFileInfo(info)) return unknown("what it is can't be told here");
  if (runtime === "deno") {
    return none(
      "Deno opens files by their paths only: with --allow-all, " +
        "/proc/self/fd/NUMBER is one",
    );
  }
  return {
    native: undefined,
    portable: {
      since: FILES_SINCE[runtime],
      api: "node:fs, with the descriptor's number",
      needs: [],
    },
    ...ANY,
  };
}
