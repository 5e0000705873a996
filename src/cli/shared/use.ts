/**
 * Support for a kind of descriptor in each runtime: which functions take it,
 * and from which version on.
 *
 * @module
 */

import {
  type DescriptorInfo,
  isFileInfo,
  type SocketInfo,
} from "../../core/info.ts";
import type { UsableKind } from "../../core/kinds.ts";
import type { RuntimeName } from "../../core/types.ts";
import { NATIVE_VERSIONS, PORTABLE_VERSIONS } from "../../runtime/versions.ts";

/** Runtimes in the order of the output. */
export const RUNTIMES: readonly RuntimeName[] = ["deno", "bun", "node"];

/** Names of the runtimes in messages. */
export const TITLES: Readonly<Record<RuntimeName, string>> = {
  deno: "Deno",
  bun: "Bun",
  node: "Node",
};

/** A way to use a descriptor in a runtime. */
export interface Way {
  /** First version of the runtime that supports it. */
  readonly since: string;
  /** Functions to call. */
  readonly api: string;
  /** Flags that the runtime needs, besides those to read the variables. */
  readonly needs: readonly string[];
}

/** Ways to use a descriptor in a runtime. */
export interface Use {
  /** Way with the runtime's own servers. */
  readonly native: Way | undefined;
  /** Way with `node:net` or `node:dgram`, or the neutral entry point. */
  readonly portable: Way | undefined;
  /** Why a way is missing; `undefined` if that needs no explanation. */
  readonly reason: string | undefined;
  /** True if the descriptor's kind can't be determined. */
  readonly isUnknown: boolean;
}

/** Best way to use a descriptor. */
export type Verdict = "native" | "portable" | "none" | "unknown";

/** Returns the best way to use a descriptor. */
export function verdictOf({ native, portable, isUnknown }: Use): Verdict {
  if (native !== undefined) return "native";
  if (portable !== undefined) return "portable";
  return isUnknown ? "unknown" : "none";
}

/** Portable functions of the library for each kind. */
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

/** Returns the ways to use a descriptor in a runtime. */
export function judgeUse(runtime: RuntimeName, info: DescriptorInfo): Use {
  const title = TITLES[runtime];
  switch (info.kind) {
    case "stream-listener":
      if (info.family === "vsock") return vsockListener(runtime, info.kind);
      return isTested(info)
        ? streamListener(runtime, info.kind, info)
        : UNTESTED;
    case "stream-connection":
      return isTested(info)
        ? { ...ways(runtime, info.kind, info), ...KNOWN }
        : UNTESTED;
    case "datagram":
      return datagramSocket(runtime, info.kind, info);
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
      return unknown("the kind of socket is unknown");
    case "unknown":
      return unknown("its kind is unknown");
    case "closed":
      return none("it is not open");
    case "message-queue":
      return none(`${title} has no message queues: use a socket`);
    case "other":
      return none("it is neither a socket nor a readable file");
    default:
      return fileUse(runtime, info);
  }
}

const KNOWN = { reason: undefined, isUnknown: false } as const;

/** Returns true for the families that the library is tested with. */
function isTested({ family }: SocketInfo): boolean {
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

const UNTESTED: Use = unknown("sockets of this family are untested");

/** Returns the ways to use TCP, UDP and Unix sockets. */
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
      needs: runtime === "deno" ? nativeDenoFlags(kind, family === "unix") : [],
    },
    portable: portable === undefined
      ? undefined
      : { since: portable, api: PORTABLE_API[kind], needs: [] },
  };
}

/**
 * Returns the flags that Deno's own servers need on inherited sockets: for the
 * C library, and to bind a placeholder.
 */
export function nativeDenoFlags(kind: UsableKind, isUnix: boolean): string[] {
  return [
    "--allow-ffi",
    // Deno 2.9 requires it for Unix sockets, too.
    "--allow-net",
    ...isUnix ? ["--allow-read", "--allow-write"] : [],
    ...kind === "datagram" ? ["--unstable-net"] : [],
  ];
}

function streamListener(
  runtime: RuntimeName,
  kind: UsableKind,
  info: SocketInfo,
): Use {
  const both = ways(runtime, kind, info);
  // The placeholder needs the same family, and reports the socket's own address.
  return runtime === "node" || info.address !== undefined
    ? { ...both, ...KNOWN }
    : {
      ...both,
      native: undefined,
      reason: `its address is unknown, and ${TITLES[runtime]}'s own ` +
        `servers need it`,
      isUnknown: false,
    };
}

function vsockListener(runtime: RuntimeName, kind: UsableKind): Use {
  const title = TITLES[runtime];
  const refused = `${title} doesn't support sockets of virtual machines`;
  if (runtime !== "bun") return none(refused);
  return {
    native: undefined,
    portable: {
      since: PORTABLE_VERSIONS.bun[kind]!,
      api: PORTABLE_API[kind],
      needs: [],
    },
    reason: "Bun's own servers don't support sockets of virtual machines",
    isUnknown: false,
  };
}

function datagramSocket(
  runtime: RuntimeName,
  kind: UsableKind,
  info: SocketInfo,
): Use {
  const { family } = info;
  if (family === "ipv4" || family === "ipv6") {
    return {
      ...ways(runtime, kind, info),
      ...KNOWN,
      ...runtime === "deno" && {
        reason: "Deno's node:dgram takes no descriptor: use listenDatagram() " +
          "of ./deno",
      },
    };
  }
  if (family !== "unix") return UNTESTED;
  return none(
    `${TITLES[runtime]} can't use a datagram socket that isn't UDP: set ` +
      `ListenDatagram= to a port`,
  );
}

/** First versions whose `node:fs` takes inherited descriptors. */
const FILES_SINCE = { bun: "1.2", node: "22.0" } as const;

function fileUse(runtime: RuntimeName, info: DescriptorInfo): Use {
  if (!isFileInfo(info)) return unknown("its kind is unknown");
  if (runtime === "deno") {
    return none(
      "Deno opens files by path only: run with --allow-all and open " +
        "/proc/self/fd/NUMBER",
    );
  }
  return {
    native: undefined,
    portable: {
      since: FILES_SINCE[runtime],
      api: "node:fs, with the descriptor's number",
      needs: [],
    },
    ...KNOWN,
  };
}
