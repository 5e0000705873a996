/**
 * What the throughput benchmark compares.
 *
 * @module
 */

/** The ways to have a server on a port, with what each is called. */
export const WAYS = {
  own: "own port",
  again: "own port, again",
  adopted: "adopted",
  preload: "preload",
  neutral: "neutral serve",
  portable: "portable path",
  proxy: "behind the proxy",
} as const;

/** One of the ways. */
export type Way = keyof typeof WAYS;

/** What a load on a server showed. */
export interface Load {
  /** Answers in a second. */
  readonly requestsPerSecond: number;
  /** The median time until an answer, in milliseconds. */
  readonly p50: number;
  /** The time that 99 of 100 answers came in, in milliseconds. */
  readonly p99: number;
  /** Requests that failed. */
  readonly errors: number;
}

/** What one server showed. */
export interface Measurement {
  /** Which round: each has servers of its own. */
  readonly round: number;
  /** The runtime's label. */
  readonly runtime: string;
  /** How the server came to its socket. */
  readonly way: Way;
  /** From starting the program to its first answer, in milliseconds. */
  readonly firstAnswer: number;
  /** What it showed each time that it was its turn. */
  readonly turns: readonly Load[];
}
