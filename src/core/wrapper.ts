/**
 * Wrappers: programs that the service manager starts in the service's place, and
 * that start the service as a child process without its descriptors.
 *
 * @module
 */

/** The remedy for each known wrapper. */
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

/** A program that was passed the descriptors in this process's place. */
export interface Wrapper {
  /** The program's name, such as `npm` or `sh`. */
  readonly name: string;
  /** The remedy, as an imperative sentence. */
  readonly advice: string;
}

/**
 * Recognizes a wrapper by the words of its command line, such as
 * `node …/npm-cli.js run start`, `npm run start` or `sh -c "…; node server.js"`.
 */
export function recognizeWrapper(
  command: readonly string[],
): Wrapper | undefined {
  const [program = "", script = ""] = command;
  // The launchers of npm, npx, pnpm and yarn are scripts. npm sets its process
  // title, so that the first word is all of "npm run start". A login shell's name
  // begins with a dash (bash(1)).
  const launcher = /^(npm|npx|pnpm|yarn)(?:-cli)?\.[cm]?js$/;
  const name = launcher.exec(fileNameOf(script))?.[1] ??
    fileNameOf(program).split(" ")[0]!.replace(/^-/, "");
  const advice = WRAPPERS.get(name);
  return advice === undefined ? undefined : { name, advice };
}

function fileNameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
