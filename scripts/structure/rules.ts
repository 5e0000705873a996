/**
 * The rules of the structure, as data.
 *
 * @module
 */

/**
 * The layers of the library, lowest first. A file imports files of its own group
 * and of lower layers. `|` separates the groups of a layer, which don't import
 * each other; a comma separates the members of a group: directories without their
 * subdirectories, or single files.
 */
export const LAYERS: readonly string[] = [
  "src/core, src/core/launchers, src/core/systemd | src/ffi",
  "src/linux",
  "src/runtime",
  "src/runtime/adoption | src/runtime/http | src/runtime/manager | src/runtime/files",
  "src/shutdown",
  "src/runtime/deno | src/runtime/bun | src/runtime/node",
  "src/runtime/current.ts, src/runtime/select.ts",
  "src, src/service",
  "mod.ts",
  "src/preload",
  "src/cli/shared, src/cli/shared/systemd",
  "src/cli/activator, src/cli/activator/paths",
  "src/cli/run | src/cli/inspect | src/cli/unit",
  "src/cli",
];

/** Imports built-in modules statically: it is a program of its own. */
export const PROGRAM = "src/cli/";

/** Directories and files that name a runtime, and are named after one. */
export const RUNTIME_PLACES: readonly string[] = [
  "src/runtime/deno/",
  "src/runtime/bun/",
  "src/runtime/node/",
  "src/runtime/builtin.ts",
  "src/runtime/current.ts",
  "src/ffi/deno.ts",
  "src/ffi/bun.ts",
  "src/ffi/node.ts",
  "src/deno.ts",
  "src/bun.ts",
  "src/node.ts",
  "src/preload/deno.ts",
  "src/preload/bun.ts",
  "src/preload/node.ts",
];

/** Directories whose files, outside RUNTIME_PLACES, use no global of a runtime. */
export const RUNTIME_FREE: readonly string[] = [
  "src/core/",
  "src/linux/",
  "src/ffi/",
];

/** Entry points may share the names of their functions: `serve`, `listen`. */
export const ENTRY_POINT: RegExp = /^(?:mod|src\/[^/]+)\.ts$/;

/** The limits, and where they apply. */
export const LIMITS = {
  /** The number of files, without those in subdirectories. */
  directory: { files: 16, in: ["src/"] },
  file: { lines: 350, in: ["src/", "scripts/"] },
  /** From the first to the last line, without the documentation. */
  function: { lines: 60, in: ["src/", "scripts/"] },
} as const;
