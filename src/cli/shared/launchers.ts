/**
 * Programs that start another one as a child, which gets no descriptors then.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import { recognizeWrapper } from "../../core/wrapper.ts";
import type { Disk, Place } from "./disk.ts";
import { UsageError } from "./verb.ts";

/** The names that runtimes are installed under: `node`, `node-24`, `nodejs`. */
export const RUNTIME_NAME: RegExp =
  /^(deno|bun|node)(?:js)?(?:[-.]?v?\d[\d.]*)?(?:\.exe)?$/;

/** The last part of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Programs that start another one as a child, beside those of `wrapper.ts`. */
const LAUNCHERS: ReadonlyMap<string, string> = new Map([
  ["pnpx", "name the program itself, from node_modules/.bin"],
  ["dx", "name the program itself"],
  ["yarnpkg", "name the runtime itself, with the script's path"],
  ["corepack", "name the runtime itself, with the script's path"],
  ["tsx", "name the runtime itself, which runs TypeScript as it is"],
  ["nodemon", "name the runtime itself"],
  ["pm2", "name the runtime itself: systemd restarts services"],
  ["cross-env", "set variables with --env-file, and name the program itself"],
  ["dotenv", "set variables with --env-file, and name the program itself"],
  ["concurrently", "write a unit for each program"],
  ["sudo", "set --user, and name the program itself"],
  ["su", "set --user, and name the program itself"],
  ["runuser", "set --user, and name the program itself"],
  ["timeout", "set RuntimeMaxSec= in the unit, and name the program itself"],
  ["volta", "name the runtime itself, not the version manager's shim"],
  ["volta-shim", "name the runtime itself, not the version manager's shim"],
  ["mise", "name the runtime itself, not the version manager's shim"],
  ["asdf", "name the runtime itself, not the version manager's shim"],
  ["fnm", "name the runtime itself, not the version manager's shim"],
]);

/**
 * Refuses what starts another process in the place of the program: the
 * descriptors are meant for the process that the service manager starts.
 *
 * @param typed The program as it was typed.
 * @param program Its path.
 * @param args Its arguments.
 * @param place Where it was typed.
 * @throws {UsageError} If it is a launcher.
 */
export function refuseLauncher(
  typed: string,
  program: string,
  args: readonly string[],
  { disk }: Place,
): void {
  const real = disk.realPath(program);
  for (const path of [program, real]) {
    const name = baseName(path);
    const wrapper = recognizeWrapper([path]) ?? recognizeWrapper(["", path]);
    const advice = LAUNCHERS.get(name) ?? wrapper?.advice;
    if (advice === undefined) continue;
    // A shell that ends with exec is the program by then.
    const isShell = wrapper?.advice.includes("exec");
    if (isShell && (!args.includes("-c") || args.some(hasExec))) continue;
    throw launcher(wrapper?.name ?? name, advice);
  }
  const named = RUNTIME_NAME.exec(baseName(typed))?.[1];
  if (named === undefined || !disk.start(real).startsWith("#!")) return;
  throw launcher(
    typed,
    `it is a script that starts ${named} (that of the npm package, or of a ` +
      `version manager): name the program itself` + besideIt(real, disk),
  );
}

function hasExec(script: string): boolean {
  return /(?:^|[\s;&|({])exec\s/.test(script);
}

/** The npm package of Deno has the program beside the launcher. */
function besideIt(script: string, disk: Disk): string {
  const program = script.replace(/\/bin\.cjs$/, "/deno");
  return program !== script && disk.isExecutable(program)
    ? `, here ${quote(program)}`
    : "";
}

/** The error for what is started as another process than the service manager's. */
export function launcher(name: string, advice: string): UsageError {
  return new UsageError(
    `Finding the program: ${quote(name)} starts another process, for which ` +
      `the descriptors are not meant, and may close them: ${advice}`,
  );
}
