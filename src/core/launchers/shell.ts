/**
 * The commands of a shell script, as far as their first words show which
 * programs start. Expansions are left as they are.
 *
 * @module
 */

/** Words that may precede a command, see `sh(1)`. */
const KEYWORDS: ReadonlySet<string> = new Set(
  "if then elif else do while until ! { ( time".split(" "),
);

/** One token: a word, or an operator that ends a command. */
const TOKEN =
  /(#[^\n]*)|([;&|()\n]+)|((?:[^\s;&|()'"\\]|\\[^]|'[^']*'?|"(?:[^"\\]|\\[^])*"?)+)/g;

/** Splits text into words as a shell does, without expansions. */
export function splitWords(text: string): string[] {
  return scriptCommands(text, []).flat();
}

/**
 * Splits a script into its simple commands.
 *
 * @param args Arguments that replace `"$@"`.
 */
export function scriptCommands(
  script: string,
  args: readonly string[],
): string[][] {
  const commands: string[][] = [];
  let words: string[] = [];
  const end = () => {
    if (words.length > 0) commands.push(words);
    words = [];
  };
  let isRedirected = false;
  for (const [text, comment, operator] of script.matchAll(TOKEN)) {
    if (comment !== undefined) continue;
    if (operator !== undefined) {
      // In 2>&1 and >&2, the operator belongs to the redirection.
      if (operator !== "&" || !isRedirected) end();
      continue;
    }
    const word = unquote(text);
    isRedirected = /[<>]$/.test(text);
    if (words.length === 0 && KEYWORDS.has(word)) continue;
    if (word === "$@" || word === "$*") words.push(...args);
    else words.push(word);
  }
  end();
  return commands.map(withoutAssignments).filter(({ length }) => length > 0);
}

/** Removes the variables that are set for one command. */
function withoutAssignments(words: string[]): string[] {
  const start = words.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word));
  return start < 0 ? [] : words.slice(start);
}

function unquote(word: string): string {
  return word.replace(
    /'([^']*)'?|"((?:[^"\\]|\\[^])*)"?|\\([^])/g,
    (_, single?: string, double?: string, escaped?: string) =>
      single ?? double?.replace(/\\(["\\$`])/g, "$1") ??
        (escaped === "\n" ? "" : escaped ?? ""),
  );
}
