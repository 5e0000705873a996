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

/** Converts a pattern to a regular expression. */
export function globToRegExp(glob: string): RegExp {
  let source = "";
  let braces = 0;
  for (let index = 0; index < glob.length;) {
    const rest = glob.slice(index);
    const [directories] = /^\*\*\/+/.exec(rest) ?? [];
    const [set, negated, inside] = /^\[([!^]?)(\]?[^\]/]*)\]/.exec(rest) ?? [];
    const before = glob[index - 1];
    if (directories !== undefined && (before === undefined || before === "/")) {
      source += "(?:[^/]+/)*";
      index += directories.length;
    } else if (rest.startsWith("**")) {
      source += ".*";
      index += 2;
    } else if (set !== undefined) {
      const characters = inside!.replace(/[\\\]^]/g, "\\$&");
      source += `[${negated ? "^/" : ""}${characters}]`;
      index += set.length;
    } else {
      const character = rest[0]!;
      index++;
      if (character === "*") source += "[^/]*";
      else if (character === "?") source += "[^/]";
      else if (character === "{" && rest.includes("}")) {
        source += "(?:";
        braces++;
      } else if (character === "}" && braces > 0) {
        source += ")";
        braces--;
      } else if (character === "," && braces > 0) source += "|";
      else source += character.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
    }
  }
  return new RegExp(`^${source}${")".repeat(braces)}$`, "s");
}
