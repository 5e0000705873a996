/**
 * A verb of the command, and its access to the process: injected, so that each
 * verb is tested without a process.
 *
 * @module
 */

/** A stream for text. */
export interface Output {
  /** Writes text. */
  write(text: string): void;
  /** True if the stream is a terminal. */
  readonly isTerminal: boolean;
}

/** Input and output of the command. */
export interface Io {
  /** Stream for results. */
  readonly stdout: Output;
  /** Stream for errors, notes and progress. */
  readonly stderr: Output;
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Base directory of relative paths. */
  readonly cwd: string;
}

/** A verb of the command, such as `run`. */
export interface Verb {
  readonly name: string;
  /** One line for `listenfds --help`. */
  readonly summary: string;
  /** Text of `listenfds VERB --help`. */
  readonly help: string;
  /**
   * Runs the verb and returns the exit status. Throws a {@linkcode UsageError}
   * if the arguments are wrong; nothing was changed then.
   */
  run(args: readonly string[], io: Io): number | Promise<number>;
}

/** An error in the arguments or in what they name: one line, exit status 2. */
export class UsageError extends Error {
  /** Creates the error. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UsageError";
  }
}
