/**
 * Who stands between the service manager and this process.
 *
 * @module
 */

/** Programs that start another one as a child, with what to do about it. */
const WRAPPERS: ReadonlyMap<string, string> = new Map([
  ["npm", "start the runtime itself, with the script's path"],
  ["npx", "start the program itself, from node_modules/.bin"],
  ["pnpm", "start the runtime itself, with the script's path"],
  ["yarn", "start the runtime itself, with the script's path"],
  ["bunx", "start the program itself, from node_modules/.bin"],
  ["sh", "begin the last command with exec"],
  ["bash", "begin the last command with exec"],
  ["dash", "begin the last command with exec"],
  ["zsh", "begin the last command with exec"],
]);

/** A program that was given the descriptors in this process's place. */
export interface Wrapper {
  /** Its name, such as `npm` or `sh`. */
  readonly name: string;
  /** What to do so that the descriptors get through. */
  readonly advice: string;
}

/**
 * Recognizes a wrapper by its command line: `node …/npm-cli.js run start`,
 * `npm run start`, `sh -c "…; node server.js"`.
 *
 * @param command The words of the command line.
 * @returns The wrapper, or `undefined` if it isn't a known one.
 */
export function recognizeWrapper(
  command: readonly string[],
): Wrapper | undefined {
  const [program = "", script = ""] = command;
  // The launchers of npm, npx, pnpm and yarn are scripts. npm sets its title to
  // "npm run start": the first word is all of it then. A login shell's name
  // begins with a dash.
  const launcher = /^(npm|npx|pnpm|yarn)(?:-cli)?\.[cm]?js$/;
  const name = launcher.exec(baseName(script))?.[1] ??
    baseName(program).split(" ")[0]!.replace(/^-/, "");
  const advice = WRAPPERS.get(name);
  return advice === undefined ? undefined : { name, advice };
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
