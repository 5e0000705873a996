/** The results of the restarts of all programs, in `bench/results`. */

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { ROOT, toolOf } from "../harness/hosts.ts";
import { type App, APPS, runtimeLabelOf, titleOf } from "./apps.ts";
import type { RestartReport } from "./restarts.ts";

const FILE = path.join(ROOT, "bench/results/apps.json");

/** The results of one program. */
interface AppResult {
  readonly version: string;
  readonly runtime: string;
  readonly date: string;
  readonly machine: string;
  readonly preloaded: Counted;
  readonly alone: Counted;
}

type Counted = Omit<RestartReport, "messages">;

/** Puts the results of a program into the file, in place of earlier ones. */
export function recordResult(
  app: App,
  preloaded: RestartReport,
  alone: RestartReport,
): void {
  const { runtime } = app;
  const results: Record<string, AppResult> = fs.existsSync(FILE)
    ? JSON.parse(fs.readFileSync(FILE, "utf8"))
    : {};
  results[titleOf(app)] = {
    version: versionOf(app),
    runtime: `${runtime} ${toolOf(runtimeLabelOf(app)).version}`,
    date: new Date().toISOString().slice(0, 10),
    machine: `${os.availableParallelism()} × ${os.cpus()[0]!.model}`,
    preloaded: withoutMessages(preloaded),
    alone: withoutMessages(alone),
  };
  fs.writeFileSync(FILE, `${JSON.stringify(results, null, 2)}\n`);
}

/** Formats all results as a table of Markdown. */
export function formatResults(): string {
  const results: Record<string, AppResult> = JSON.parse(
    fs.readFileSync(FILE, "utf8"),
  );
  const lines = Object.entries(results).map(([title, result]) => {
    const { version, preloaded, alone } = result;
    const { killed, restarts } = alone;
    return [
      title,
      version,
      `${preloaded.lost} of ${preloaded.requests}`,
      `${alone.lost} of ${alone.requests}` +
      (killed > 0 ? `, ${killed} of ${restarts} killed` : ""),
      `${alone.refused}`,
    ];
  });
  return [
    [
      "Program",
      "Version",
      "Lost with the preload",
      "Lost alone",
      "Refused alone",
    ],
    Array.from({ length: 5 }, () => "---"),
    ...lines,
  ].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function withoutMessages({ messages: _, ...counts }: RestartReport): Counted {
  return counts;
}

/** Returns the version of what a program is made of. */
function versionOf(app: App): string {
  const { directory, framework } = app;
  if (framework === undefined) return toolOf(runtimeLabelOf(app)).version;
  const manifest = path.join(
    APPS,
    directory,
    "node_modules",
    framework,
    "package.json",
  );
  return `${framework} ${
    JSON.parse(fs.readFileSync(manifest, "utf8")).version
  }`;
}
