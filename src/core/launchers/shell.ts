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

const COMMENT = /#[^\n]*/y;
/** Operators that end a command. */
const OPERATORS = /[;&|()\n]+/y;

const SPACES = /[^\S\n]+/y;

/** The parts of a word. */
const PLAIN = /[^\s;&|()'"\\]+/y;
const ESCAPED = /\\[^]/y;
const SINGLE_QUOTED = /'[^']*'?/y;
const DOUBLE_QUOTE = /"/y;
const PLAIN_IN_QUOTES = /[^"\\]+/y;

/** A word as it is written, and what it stands for; or operators. */
type Token = { readonly operators: string } | {
  readonly text: string;
  readonly word: string;
};

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
  for (const token of new Scanner(script).tokens()) {
    if ("operators" in token) {
      // In 2>&1 and >&2, the operator belongs to the redirection.
      if (token.operators !== "&" || !isRedirected) end();
      continue;
    }
    const { text, word } = token;
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

/**
 * Reads a script from its start to its end. Each part is matched by itself,
 * because Bun takes a slow path for many repetitions of a group.
 */
class Scanner {
  readonly #script: string;
  #index = 0;

  constructor(script: string) {
    this.#script = script;
  }

  *tokens(): Generator<Token> {
    while (this.#index < this.#script.length) {
      if (this.#next === "#") {
        this.#read(COMMENT);
        continue;
      }
      const operators = this.#read(OPERATORS);
      if (operators !== undefined) {
        yield { operators };
        continue;
      }
      const start = this.#index;
      const word = this.#readWord();
      if (this.#index > start) {
        yield { text: this.#script.slice(start, this.#index), word };
      } else if (this.#read(SPACES) === undefined) {
        // A backslash at the end.
        return;
      }
    }
  }

  get #next(): string | undefined {
    return this.#script[this.#index];
  }

  #readWord(): string {
    let word = "";
    for (;;) {
      const part = this.#readPart();
      if (part === undefined) return word;
      word += part;
    }
  }

  #readPart(): string | undefined {
    switch (this.#next) {
      case "\\": {
        const escaped = this.#read(ESCAPED);
        return escaped === "\\\n" ? "" : escaped?.slice(1);
      }
      case "'":
        return this.#read(SINGLE_QUOTED)!.replaceAll("'", "");
      case '"':
        return this.#readDoubleQuoted();
      default:
        return this.#read(PLAIN);
    }
  }

  #readDoubleQuoted(): string {
    this.#read(DOUBLE_QUOTE);
    let text = "";
    for (;;) {
      const part = this.#read(this.#next === "\\" ? ESCAPED : PLAIN_IN_QUOTES);
      if (part === undefined) break;
      text += /^\\["\\$`]$/.test(part) ? part.slice(1) : part;
    }
    this.#read(DOUBLE_QUOTE);
    return text;
  }

  /** Reads what a sticky pattern matches here, if it does. */
  #read(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#index;
    const text = pattern.exec(this.#script)?.[0];
    this.#index += text?.length ?? 0;
    return text;
  }
}
