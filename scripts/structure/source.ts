/**
 * The facts about a source file that the rules use, found by the parser of
 * TypeScript.
 *
 * @module
 */

import ts from "typescript";

/** A declaration at the top level of a file; all overloads are one. */
export interface Declaration {
  readonly name: string;
  readonly line: number;
  /** A class, an interface or an alias of a type. */
  readonly isType: boolean;
}

/** A function, method, accessor or constructor. */
export interface FunctionSize {
  readonly name: string;
  readonly line: number;
  /** From the first to the last line, without the documentation. */
  readonly lines: number;
}

/** A reference to a global or a module of a runtime. */
export interface RuntimeReference {
  readonly name: string;
  readonly line: number;
}

/** A parsed file. */
export interface Source {
  /** The path from the repository's root. */
  readonly path: string;
  readonly lines: number;
  readonly declarations: readonly Declaration[];
  readonly functions: readonly FunctionSize[];
  /** `Deno`, `Bun`, `process` and `globalThis`. */
  readonly globals: readonly RuntimeReference[];
  /** `bun:…` and `node:ffi`, as strings of their own. */
  readonly modules: readonly RuntimeReference[];
}

/** Parses a file. */
export function readSource(path: string, text: string): Source {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const lineAt = (position: number): number =>
    file.getLineAndCharacterOfPosition(position).line + 1;
  const functions: FunctionSize[] = [];
  const globals: RuntimeReference[] = [];
  const modules: RuntimeReference[] = [];
  const visit = (node: ts.Node): void => {
    const line = lineAt(node.getStart(file));
    if (ts.isFunctionLike(node) && "body" in node && node.body !== undefined) {
      const lines = lineAt(node.end) - line + 1;
      functions.push({ name: functionName(node), line, lines });
    }
    const global = referencedGlobal(node);
    if (global !== undefined) globals.push({ name: global, line });
    if (
      ts.isStringLiteralLike(node) && /^(?:bun:.+|node:ffi)$/.test(node.text)
    ) {
      modules.push({ name: node.text, line });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  const declarations = declarationsOf(file).map(({ name, isType }) => (
    { name: name.text, line: lineAt(name.getStart(file)), isType }
  ));
  return { path, lines, declarations, functions, globals, modules };
}

function functionName(node: ts.SignatureDeclaration): string {
  if (ts.isConstructorDeclaration(node)) return "constructor";
  const { parent } = node;
  const name = node.name ??
    (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) ||
        ts.isPropertyDeclaration(parent)
      ? parent.name
      : undefined);
  return name?.getText() ?? "anonymous function";
}

/** The global that an identifier, or `x["Deno"]`, refers to. */
function referencedGlobal(node: ts.Node): string | undefined {
  const { parent } = node;
  if (ts.isStringLiteralLike(node)) {
    const isMember = ts.isElementAccessExpression(parent);
    return isMember && /^(?:Deno|Bun)$/.test(node.text) ? node.text : undefined;
  }
  if (!ts.isIdentifier(node)) return undefined;
  const { text } = node;
  if (!/^(?:Deno|Bun|process|globalThis)$/.test(text)) return undefined;
  // The key of an object, and a member of something other than a runtime.
  const isKey = ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isPropertyAccessExpression(parent) && /^[a-z]/.test(text);
  return isKey && parent.name === node ? undefined : text;
}

interface NamedNode {
  readonly name: ts.Identifier;
  readonly isType: boolean;
}

function declarationsOf(file: ts.SourceFile): NamedNode[] {
  const named = file.statements.flatMap((statement): NamedNode[] => {
    if (ts.isVariableStatement(statement)) {
      return statement.declarationList.declarations
        .flatMap(({ name }) => identifiersOf(name))
        .map((name) => ({ name, isType: false }));
    }
    const isType = ts.isClassDeclaration(statement) ||
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement);
    if (!isType && !ts.isFunctionDeclaration(statement)) return [];
    return statement.name === undefined
      ? []
      : [{ name: statement.name, isType }];
  });
  const first = Map.groupBy(named, ({ name, isType }) => name.text + isType);
  return [...first.values()].map(([node]) => node!);
}

/** The names that a variable declares: several, where it is a pattern. */
function identifiersOf(name: ts.BindingName): ts.Identifier[] {
  if (ts.isIdentifier(name)) return [name];
  return name.elements.flatMap((element) =>
    ts.isBindingElement(element) ? identifiersOf(element.name) : []
  );
}
