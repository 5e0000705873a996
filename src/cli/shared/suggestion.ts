/**
 * Suggestions for misspelt words.
 *
 * @module
 */

/** Longest word that is compared, so that hostile words cost little. */
const MAX_LENGTH = 64;

/**
 * Returns the candidate that a misspelt word most likely means; `undefined` if
 * none is similar. Upper and lower case are equal, and the first of several
 * equally similar candidates wins.
 */
export function closestWord(
  word: string,
  candidates: Iterable<string>,
): string | undefined {
  if (word.length === 0 || word.length > MAX_LENGTH) return undefined;
  const typed = word.toLowerCase();
  let closest: string | undefined;
  // A third of the letters may be wrong.
  let limit = Math.max(1, Math.floor(typed.length / 3)) + 1;
  let completion: string | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(typed, candidate.toLowerCase());
    if (distance < limit) {
      closest = candidate;
      limit = distance;
    }
    if (candidate.toLowerCase().startsWith(typed)) completion ??= candidate;
  }
  return closest ?? completion;
}

/**
 * Returns the number of letters to insert, delete, replace or swap with their
 * neighbour to turn one word into the other (optimal string alignment).
 */
function editDistance(from: string, to: string): number {
  let previous: number[] = [];
  let current = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const beforePrevious = previous;
    previous = current;
    current = [row];
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1];
      let cost = Math.min(
        previous[column]! + 1,
        current[column - 1]! + 1,
        previous[column - 1]! + (isSame ? 0 : 1),
      );
      const isSwapped = row > 1 && column > 1 &&
        from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (isSwapped) cost = Math.min(cost, beforePrevious[column - 2]! + 1);
      current.push(cost);
    }
  }
  return current[to.length]!;
}
