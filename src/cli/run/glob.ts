/**
 * Glob patterns: `*` and `?` within a name, `**` for any directories, `[…]` and
 * `{a,b}`. `path.matchesGlob()` would do, but Deno 2.3 lacks it and Bun
 * treats dot files differently from Node.
 *
 * @module
 */

/** Characters that begin a pattern. */
const MAGIC = /[*?[{]/;

/** Returns the directory of all matches; without a pattern, the path itself. */
export function globRoot(glob: string): string {
  const names = glob.split("/");
  const magic = names.findIndex((name) => MAGIC.test(name));
  if (magic < 0) return glob;
  return names.slice(0, magic).join("/") || (glob.startsWith("/") ? "/" : ".");
}

/** A step of a compiled pattern; the next step follows a matched character. */
type Step =
  /** Matches a character. */
  | ((character: string) => boolean)
  /** Continues at other steps. */
  | number[];

const isAny: Step = () => true;
const isInName: Step = (character) => character !== "/";

/**
 * Compiles a pattern. Matching takes time in proportion to the path's length,
 * unlike a regular expression, which backtracks.
 */
export function compileGlob(glob: string): (path: string) => boolean {
  const steps = parseGlob(glob);
  return (path) => {
    let states = reach(steps, [0]);
    for (let index = 0; index < path.length && states.length > 0; index++) {
      const next: number[] = [];
      for (const state of states) {
        const step = steps[state];
        if (typeof step === "function" && step(path[index]!)) {
          next.push(state + 1);
        }
      }
      states = reach(steps, next);
    }
    return states.includes(steps.length);
  };
}

/** Returns the states that can be reached without a character. */
function reach(steps: readonly Step[], from: readonly number[]): number[] {
  const seen = new Set<number>(from);
  // A set can grow while it is iterated.
  for (const state of seen) {
    const step = steps[state];
    if (Array.isArray(step)) { for (const next of step) seen.add(next); }
  }
  return [...seen];
}

/** Parses a pattern into steps; the index after the last one is a match. */
function parseGlob(glob: string): Step[] {
  const steps: Step[] = [];
  const braces: { start: number[]; ends: number[][] }[] = [];
  const setEnds = findSetEnds(glob);
  const lastBrace = glob.lastIndexOf("}");
  const close = () => {
    for (const end of braces.pop()!.ends) end.push(steps.length);
  };
  for (let index = 0; index < glob.length;) {
    const character = glob[index++]!;
    if (character === "*") {
      const isDeep = glob[index] === "*";
      if (isDeep) index++;
      const before = glob[index - 3] ?? "/";
      if (isDeep && glob[index] === "/" && before === "/") {
        while (glob[index] === "/") index++;
        const start = steps.length;
        const isSlash: Step = (character) => character === "/";
        steps.push([start + 1, start + 5], isInName, [start + 1, start + 3]);
        steps.push(isSlash, [start]);
      } else {
        const start = steps.length;
        steps.push([start + 1, start + 3], isDeep ? isAny : isInName, [start]);
      }
    } else if (character === "?") {
      steps.push(isInName);
    } else if (character === "[" && setEnds[index - 1]! > 0) {
      const end = setEnds[index - 1]!;
      steps.push(parseSet(glob.slice(index, end)));
      index = end + 1;
    } else if (character === "{" && index <= lastBrace) {
      const start = [steps.length + 1];
      steps.push(start);
      braces.push({ start, ends: [] });
    } else if (character === "}" && braces.length > 0) {
      close();
    } else if (character === "," && braces.length > 0) {
      const end: number[] = [];
      const brace = braces.at(-1)!;
      steps.push(end);
      brace.ends.push(end);
      brace.start.push(steps.length);
    } else {
      steps.push((other) => other === character);
    }
  }
  while (braces.length > 0) close();
  return steps;
}

/** Returns the index of the end of a set that begins at each index, else 0. */
function findSetEnds(glob: string): number[] {
  const ends: number[] = new Array(glob.length).fill(0);
  // The next closing bracket within the same name.
  const closing: number[] = new Array(glob.length + 1).fill(0);
  for (let index = glob.length - 1; index >= 0; index--) {
    const character = glob[index];
    closing[index] = character === "]"
      ? index
      : character === "/"
      ? 0
      : closing[index + 1]!;
    if (character !== "[") continue;
    const first = index + (/[!^]/.test(glob[index + 1] ?? "") ? 2 : 1);
    // A bracket that comes first belongs to the set.
    ends[index] = closing[glob[first] === "]" ? first + 1 : first] ?? 0;
  }
  return ends;
}

/** Parses the text between brackets, such as `a-z` or `!x`. */
function parseSet(text: string): Step {
  const isNegated = /^[!^]/.test(text);
  const characters = isNegated ? text.slice(1) : text;
  const ranges: [string, string][] = [];
  for (let index = 0; index < characters.length; index++) {
    const first = characters[index]!;
    const isRange = characters[index + 1] === "-" &&
      index + 2 < characters.length;
    if (isRange) index += 2;
    ranges.push([first, characters[index]!]);
  }
  return (character) =>
    ranges.some(([from, to]) => from <= character && character <= to) ===
      !isNegated && (!isNegated || character !== "/");
}
