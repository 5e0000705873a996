/**
 * What a rule of the structure reports.
 *
 * @module
 */

/** A violation of a rule. */
export interface Problem {
  /** The file's path from the repository's root. */
  readonly path: string;
  readonly line: number;
  /** The problem, a colon, and what to do. */
  readonly message: string;
}

/** Sorts problems by path and line, and writes each as `path:line: message`. */
export function formatProblems(problems: readonly Problem[]): string[] {
  const lines = problems
    .toSorted((a, b) =>
      a.path.localeCompare(b.path) || a.line - b.line ||
      a.message.localeCompare(b.message)
    )
    .map(({ path, line, message }) => `${path}:${line}: ${message}`);
  return [...new Set(lines)];
}

/** Tests whether a path is one of the places, or in one that ends with a slash. */
export function isIn(path: string, places: readonly string[]): boolean {
  return places.some((place) =>
    place.endsWith("/") ? path.startsWith(place) : path === place
  );
}
