/**
 * Patterns of paths: `*` and `?` within a name, `**` for any folders, `[…]` and
 * `{a,b}`.
 *
 * @module
 */

/** The characters that make a pattern. */
const MAGIC = /[*?[{]/;

/**
 * The folder, or file, that everything a pattern matches is in or below.
 *
 * @param glob The pattern, with `/` between names.
 */
export function globRoot(glob: string): string {
  const names = glob.split("/");
  const magic = names.findIndex((name) => MAGIC.test(name));
  if (magic < 0) return glob;
  return names.slice(0, magic).join("/") || (glob.startsWith("/") ? "/" : ".");
}

/**
 * Makes a regular expression of a pattern.
 *
 * @param glob The pattern.
 */
export function globToRegExp(glob: string): RegExp {
  let source = "";
  let braces = 0;
  for (let at = 0; at < glob.length;) {
    const rest = glob.slice(at);
    const [folders] = /^\*\*\/+/.exec(rest) ?? [];
    const [set, negated, inside] = /^\[([!^]?)(\]?[^\]/]*)\]/.exec(rest) ?? [];
    const before = glob[at - 1];
    if (folders !== undefined && (before === undefined || before === "/")) {
      source += "(?:[^/]+/)*";
      at += folders.length;
    } else if (rest.startsWith("**")) {
      source += ".*";
      at += 2;
    } else if (set !== undefined) {
      const characters = inside!.replace(/[\\\]^]/g, "\\$&");
      source += `[${negated ? "^/" : ""}${characters}]`;
      at += set.length;
    } else {
      const character = rest[0]!;
      at++;
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
