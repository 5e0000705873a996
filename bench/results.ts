/**
 * Writing what was measured into `results/`.
 *
 * @module
 */

import type { Tool } from "../scripts/toolchain.ts";

const RESULTS = new URL("results/", import.meta.url);

/** Describes what was measured on. */
export function describeMachine(tools: readonly Tool[]): object {
  return {
    machine: {
      cores: navigator.hardwareConcurrency,
      os: `${Deno.build.os} ${Deno.osRelease().split("-")[0]}`,
      // Above about 2, which the load itself makes: it had other work.
      loadAverage: Deno.loadavg()[0],
    },
    versions: Object.fromEntries(
      tools.map(({ label, version }) => [label, version]),
    ),
  };
}

/** Reads results that were written before, so that a part can be replaced. */
export async function readResults(
  name: string,
  fallback: object,
): Promise<object> {
  try {
    return JSON.parse(await Deno.readTextFile(new URL(name, RESULTS)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return fallback;
    throw error;
  }
}

/** Writes files, formatted, because they are committed. */
export async function writeResults(
  files: Readonly<Record<string, string>>,
): Promise<void> {
  await Deno.mkdir(RESULTS, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    // Numbers in a line: the file is for people, too.
    const shown = name.endsWith(".json")
      ? `${text.replace(/\[[\d.,\s]+\]/g, (it) => it.replace(/\s+/g, " "))}\n`
      : text;
    await Deno.writeTextFile(new URL(name, RESULTS), shown);
  }
  const names = Object.keys(files);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", ...names],
    cwd: RESULTS,
  }).output();
  if (!success) throw new Error("Formatting the results failed");
  console.log(`\nWritten to bench/results/: ${names.join(", ")}`);
}
