/** The sums of many restarts, in `bench/results/restarts.json`. */

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { ROOT, toolOf } from "../../harness/hosts.ts";
import { type FailureKind, FAILURES } from "../load/http_client.ts";

import { SYSTEMD_VERSION } from "../machine/machine.ts";
import type { UnitHost } from "../machine/units.ts";
import { KILLS, type PartCounts, type Piece, RESTARTS } from "./piece.ts";
import type { Usage } from "./piece.ts";

const FILE = path.join(ROOT, "bench/results/restarts.json");

/** The sums of a runtime. */
export interface RuntimeResult {
  readonly version: string;
  readonly systemd: number;
  readonly date: string;
  readonly machine: string;
  readonly restarts: number;
  readonly kills: number;
  readonly idleExits: number;
  /** What clients got during restarts, kills and idle exits. */
  readonly during: Readonly<Record<PartName, PartSum>>;
  /** After each piece. */
  readonly overTime: readonly Sample[];
}

type PartName = "restarts" | "kills" | "idleExits";
type PartSum = Omit<PartCounts, "answered" | "messages"> & {
  readonly requests: number;
};

interface Sample {
  readonly restarts: number;
  readonly service: Usage;
  readonly systemd: Usage;
}

/** Returns the sums of earlier runs with the same version. */
export function resultOf(host: UnitHost): RuntimeResult | undefined {
  const result = readResults()[host.runtime];
  return result?.version === versionOf(host) ? result : undefined;
}

/** Adds a piece to the sums. */
export function addPiece(host: UnitHost, piece: Piece): void {
  const before = resultOf(host);
  const restarts = (before?.restarts ?? 0) + RESTARTS;
  const { service, manager } = piece;
  const results = {
    ...readResults(),
    [host.runtime]: {
      version: versionOf(host),
      systemd: SYSTEMD_VERSION,
      date: new Date().toISOString().slice(0, 10),
      machine: `${os.availableParallelism()} × ${os.cpus()[0]!.model}`,
      restarts,
      kills: (before?.kills ?? 0) + KILLS,
      idleExits: (before?.idleExits ?? 0) + piece.ended,
      during: {
        restarts: addPart(before?.during.restarts, piece.restarts),
        kills: addPart(before?.during.kills, piece.kills),
        idleExits: addPart(before?.during.idleExits, piece.idleExits),
      },
      overTime: [
        ...before?.overTime ?? [],
        { restarts, service, systemd: manager },
      ],
    } satisfies RuntimeResult,
  };
  // In one step: whatever ends the tests leaves the sums of whole pieces.
  fs.writeFileSync(`${FILE}.new`, `${JSON.stringify(results, null, 2)}\n`);
  fs.renameSync(`${FILE}.new`, FILE);
}

/** Formats the sums as a table of Markdown. */
export function formatResults(): string {
  const lines = Object.entries(readResults()).map(([runtime, result]) => {
    const { restarts, kills, idleExits } = result.during;
    const parts = [restarts, kills, idleExits];
    return [
      `${runtime} ${result.version}`,
      `${result.restarts} / ${result.kills} / ${result.idleExits}`,
      parts.map(({ requests }) => requests).join(" / "),
      parts.map(({ lost }) => FAILURES.reduce((n, kind) => n + lost[kind], 0))
        .join(" / "),
      parts.map(({ slowestMs }) => `${slowestMs} ms`).join(" / "),
    ];
  });
  return [
    [
      "Runtime",
      "Restarts / kills / idle exits",
      "Requests during each",
      "Lost",
      "Slowest answer",
    ],
    Array.from({ length: 5 }, () => "---"),
    ...lines,
  ].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function addPart(
  sum: PartSum | undefined,
  { answered, lost, slowestMs }: PartCounts,
): PartSum {
  const failures = FAILURES.reduce((total, kind) => total + lost[kind], 0);
  return {
    requests: (sum?.requests ?? 0) + answered + failures,
    lost: Object.fromEntries(
      FAILURES.map((kind) => [kind, (sum?.lost[kind] ?? 0) + lost[kind]]),
    ) as Record<FailureKind, number>,
    slowestMs: Math.round(Math.max(sum?.slowestMs ?? 0, slowestMs)),
  };
}

function readResults(): Record<string, RuntimeResult> {
  return fs.existsSync(FILE) ? JSON.parse(fs.readFileSync(FILE, "utf8")) : {};
}

function versionOf({ label }: UnitHost): string {
  return toolOf(label.replace(" -A", "")).version;
}
