/**
 * Launchers: programs that start another program as a child process. The
 * service manager passes descriptors to the process that it starts, so the child
 * process is not activated.
 *
 * @module
 */

/** A program that starts another program. */
export interface Launcher {
  /** Its name with what makes it a launcher: `npm`, `node --watch`. */
  readonly name: string;
  /** The remedy, as an imperative sentence. */
  readonly advice: string;
  /** What it does to the program; by default, it starts another process. */
  readonly problem?: string;
  /** Whether it restarts the program when files change. */
  readonly isWatcher?: boolean;
  /** The command to write instead, where it can be derived. */
  readonly instead?: readonly string[];
  /**
   * Where a command line alone doesn't prove that a child process starts:
   *
   * - `in-units`: the launcher works with `listenfds run`, and not in a service
   * - `unless-exec`: an unknown program of a shell script, which may be all that
   *   the script starts, or none that needs the descriptors
   * - `unless-file`: a script or program of a package, unless a file has its name
   */
  readonly condition?: "in-units" | "unless-exec" | "unless-file";
}

/** Launchers with the same remedy. */
interface LauncherGroup {
  readonly names: string;
  readonly advice: string;
  /** Whether they are npm packages, which a runtime can run as scripts. */
  readonly isPackage?: boolean;
  readonly isWatcher?: boolean;
  readonly condition?: Launcher["condition"];
  /** The first arguments with which they are launchers; any by default. */
  readonly subcommands?: string;
}

/** The remedy for programs that run a script of a package. */
export const NAME_THE_SCRIPT =
  "start the runtime itself, with the script's path";
const NAME_THE_BINARY = "start the program itself, from node_modules/.bin";
const NAME_THE_PROGRAM = "start the program itself";
const SET_VARIABLES =
  "set variables with --env-file of listenfds or EnvironmentFile= of the unit, " +
  "and start the program itself";

const GROUPS: readonly LauncherGroup[] = [
  // Package managers.
  {
    names:
      "npm pnpm yarn yarnpkg corepack ni nr nlx npm-run-all npm-run-all2 " +
      "run-s run-p wireit",
    advice: NAME_THE_SCRIPT,
    isPackage: true,
  },
  { names: "npx pnpx", advice: NAME_THE_BINARY, isPackage: true },
  { names: "bunx", advice: NAME_THE_BINARY },
  { names: "dx dnx", advice: NAME_THE_PROGRAM },
  // Watchers.
  {
    names: "nodemon node-dev supervisor ts-node-dev tsnd tsc-watch",
    advice: "start the runtime itself",
    isPackage: true,
    isWatcher: true,
  },
  {
    names: "chokidar onchange",
    advice: NAME_THE_PROGRAM,
    isPackage: true,
    isWatcher: true,
  },
  {
    names: "entr watchexec watchman-make reflex watch",
    advice: NAME_THE_PROGRAM,
    isWatcher: true,
  },
  {
    names: "vite-node",
    advice: "start the runtime itself",
    isPackage: true,
    isWatcher: true,
    subcommands: "-w --watch",
  },
  // Programs that start a runtime with options.
  {
    names: "tsx ts-node-esm esno tsimp",
    advice: "start the runtime itself, which runs TypeScript as it is, or " +
      "register the loader, as node --import tsx does",
    isPackage: true,
  },
  {
    names: "next nuxt nuxi",
    advice: NAME_THE_SCRIPT,
    isPackage: true,
    subcommands: "dev",
  },
  {
    names: "nest react-scripts",
    advice: NAME_THE_SCRIPT,
    isPackage: true,
    subcommands: "start",
  },
  // Process managers.
  {
    names: "pm2 pm2-dev pm2-runtime pm2-docker forever strong-pm",
    advice: "start the runtime itself, because the service manager restarts it",
    isPackage: true,
  },
  {
    names: "concurrently",
    advice: "write a unit for each program, and start the program itself",
    isPackage: true,
  },
  {
    names: "foreman nf honcho overmind hivemind supervisord runit runsvdir",
    advice: "write a unit for each program, and start the program itself",
  },
  {
    names: "tini dumb-init catatonit docker-init",
    advice: "start the program itself, as the first process",
  },
  {
    names: "(sd-stubinit)",
    advice: "start systemd-nspawn without --as-pid2",
  },
  // Task runners.
  {
    names: "turbo nx lerna moon gulp grunt rushx lage",
    advice: NAME_THE_SCRIPT,
    isPackage: true,
  },
  { names: "make gmake just task mage rake", advice: NAME_THE_SCRIPT },
  // Programs that set variables.
  {
    names: "cross-env cross-env-shell dotenv dotenvx env-cmd",
    advice: SET_VARIABLES,
    isPackage: true,
  },
  // Version managers.
  {
    names: "volta volta-shim fnm",
    advice: "start the runtime itself, not the version manager's shim",
  },
  {
    names: "mise rtx asdf nvm-exec nodenv proto direnv",
    advice: "start the runtime itself, not the version manager's shim",
    condition: "in-units",
  },
  // Other programs.
  {
    names: "sudo su runuser doas pkexec",
    advice: "set --user of listenfds or User= of the unit, and start the " +
      "program itself",
  },
  {
    names: "timeout",
    advice: "set RuntimeMaxSec= in the unit, and start the program itself",
  },
  {
    names: "setsid",
    advice: "start the program itself, because a service has its own session",
  },
  {
    names:
      "strace ltrace gdb time script unbuffer flock unshare nsenter bwrap " +
      "firejail systemd-run systemd-inhibit dbus-run-session xvfb-run xargs " +
      "parallel start-stop-daemon daemonize",
    advice: NAME_THE_PROGRAM,
  },
];

const BY_NAME: ReadonlyMap<string, LauncherGroup> = new Map(
  GROUPS.flatMap((group) =>
    group.names.split(" ").map((name) => [name, group] as const)
  ),
);

/** Packages whose programs have other names. */
const PACKAGES: ReadonlyMap<string, string> = new Map([
  ["@antfu/ni", "ni"],
  ["@nestjs/cli", "nest"],
  ["@dotenvx/dotenvx", "dotenvx"],
  ["chokidar-cli", "chokidar"],
  ["dotenv-cli", "dotenv"],
  ["dotenv", ""],
  ["chokidar", ""],
  ["foreman", "nf"],
]);

/** Returns the launcher with the name of a program, if it is one. */
export function launcherNamed(
  name: string,
  args: readonly string[],
): Launcher | undefined {
  return toLauncher(name, args, BY_NAME.get(name));
}

/** Returns the launcher with the name of a program that is an npm package's. */
export function launcherProgram(
  name: string,
  args: readonly string[],
): Launcher | undefined {
  const group = BY_NAME.get(name);
  return group?.isPackage ? toLauncher(name, args, group) : undefined;
}

/** Returns the launcher that an npm package has, if it has one. */
export function launcherOfPackage(
  packageName: string,
  args: readonly string[],
): Launcher | undefined {
  return launcherProgram(PACKAGES.get(packageName) ?? packageName, args);
}

function toLauncher(
  name: string,
  args: readonly string[],
  group: LauncherGroup | undefined,
): Launcher | undefined {
  if (group === undefined) return undefined;
  const { advice, condition, subcommands } = group;
  if (
    subcommands !== undefined &&
    !subcommands.split(" ").some((each) => args.includes(each))
  ) return undefined;
  const isWatcher = group.isWatcher ||
    /^(?:watch|-w|--watch)$/.test(args[0] ?? "");
  return {
    name,
    advice,
    ...isWatcher && { isWatcher },
    ...condition !== undefined && { condition },
  };
}
