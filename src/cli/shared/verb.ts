/**
 * What a verb of the command is, and what it may use of the world around it:
 * injected, so that each verb is tested without a process.
 *
 * @module
 */

/** A stream that text is written to. */
export interface Output {
  /** Writes text. */
  write(text: string): void;
  /** Whether a person reads it on a terminal. */
  readonly isTerminal: boolean;
}

/** The world around the command. */
export interface Io {
  /** Results. */
  readonly stdout: Output;
  /** Errors, and what a person is told meanwhile. */
  readonly stderr: Output;
  /** The environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that relative paths are taken from. */
  readonly cwd: string;
}

/** A verb of the command, such as `run`. */
export interface Verb {
  /** What it is called. */
  readonly name: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** The text of `--help`. */
  readonly help: string;
  /**
   * Does it.
   *
   * @param args The arguments behind the verb.
   * @param io The world around it.
   * @returns The exit status.
   * @throws {UsageError} If the arguments are wrong: then nothing was done.
   */
  run(args: readonly string[], io: Io): Promise<number>;
}

/** An error of whoever typed the command: one line, exit status 2. */
export class UsageError extends Error {
  /** Makes the error. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UsageError";
  }
}
