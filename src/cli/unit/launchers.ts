/**
 * Refuses programs that start another one as a child, which gets no
 * descriptors.
 *
 * @module
 */

import { posix } from "node:path";
import { quote } from "../../core/errors.ts";
import { recognizeWrapper } from "../../core/wrapper.ts";
import type { Disk, ShellContext } from "../shared/disk.ts";
import { UsageError } from "../shared/verb.ts";

/** Names of runtimes: `node`, `node-24`, `nodejs`. */
export const RUNTIME_NAME: RegExp =
  /^(deno|bun|node)(?:js)?(?:[-.]?v?\d[\d.]*)?(?:\.exe)?$/;

/** Launchers with what to do, besides those of `wrapper.ts`. */
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
 * Throws a {@linkcode UsageError} if a program starts another process, because
 * the descriptors are meant for the process that the service manager starts.
 *
 * @param typed Program as it was typed.
 * @param program Absolute path of the program.
 */
export function refuseLauncher(
  typed: string,
  program: string,
  args: readonly string[],
  { disk }: ShellContext,
): void {
  const real = disk.realPath(program);
  for (const path of [program, real]) {
    const name = posix.basename(path);
    const wrapper = recognizeWrapper([path]) ?? recognizeWrapper(["", path]);
    const advice = LAUNCHERS.get(name) ?? wrapper?.advice;
    if (advice === undefined) continue;
    // A shell with exec becomes the program.
    const isShell = wrapper?.advice.includes("exec");
    if (isShell && (!args.includes("-c") || args.some(hasExec))) continue;
    throw launcherError(wrapper?.name ?? name, advice);
  }
  const named = RUNTIME_NAME.exec(posix.basename(typed))?.[1];
  if (named === undefined || !disk.start(real).startsWith("#!")) return;
  throw launcherError(
    typed,
    `it is a script that starts ${named} (that of the npm package, or of a ` +
      `version manager): name the program itself` + suggestion(real, disk),
  );
}

function hasExec(script: string): boolean {
  return /(?:^|[\s;&|({])exec\s/.test(script);
}

/** Names the program that the npm package of Deno has beside its launcher. */
function suggestion(script: string, disk: Disk): string {
  const program = script.replace(/\/bin\.cjs$/, "/deno");
  return program !== script && disk.isExecutable(program)
    ? `, here ${quote(program)}`
    : "";
}

/** Creates the error for a program that starts another process. */
export function launcherError(name: string, advice: string): UsageError {
  return new UsageError(
    `Finding the program: ${quote(name)} starts another process, for which ` +
      `the descriptors are not meant, and may close them: ${advice}`,
  );
}
