/**
 * What requests under load ask for: bodies that nobody can take for another's,
 * and that show when a part is missing.
 *
 * @module
 */

/** The answer to `/work?id=…`. */
export function workBody(id: string): string {
  return `${id}:`.repeat(Math.ceil(2000 / (id.length + 1))) + "end";
}
