/**
 * `LISTENFDS_MAP`: the addresses that a program asks for, by the names of the
 * sockets that it gets.
 *
 * @module
 */

import { quote } from "../core/errors.ts";
import { parseBindAddress } from "../core/listen_address.ts";
import { type AskedAddress, keysOfAsked } from "./asked_address.ts";

/** An entry of the map. */
export interface NamedAddress {
  /** The name of the sockets. */
  readonly name: string;
  /** What the program asks for; `*` for any fixed port or path. */
  readonly asked: AskedAddress | "*";
}

const ACTION = "Reading LISTENFDS_MAP";
const FORM = `expected entries such as web=3000, separated by commas`;

/**
 * Parses the map: `web=3000,admin=/run/x.sock,metrics=127.0.0.1:9090`. A
 * backslash takes the next character as it is.
 *
 * @throws {SyntaxError | RangeError} If the text has another form, or gives one
 * address to two names.
 */
export function parseListenfdsMap(text: string): NamedAddress[] {
  if (text === "") return [];
  const entries = splitEntries(text).map(({ name, value }): NamedAddress => {
    if (name === "") {
      throw new SyntaxError(
        `${ACTION}: ${FORM}, found an entry without a name`,
      );
    }
    return { name, asked: parseValue(name, value) };
  });
  requireDistinct(entries);
  return entries;
}

/** Checks that no address is given to two names. */
function requireDistinct(entries: readonly NamedAddress[]): void {
  const names = new Map<string, string>();
  for (const { name, asked } of entries) {
    for (const key of asked === "*" ? ["*"] : keysOfAsked(asked)) {
      const other = names.get(key);
      if (other !== undefined && other !== name) {
        throw new SyntaxError(
          `${ACTION}: expected each address once, found ${quote(other)} and ${
            quote(name)
          } with the same one: keep one of them`,
        );
      }
      names.set(key, name);
    }
  }
}

function splitEntries(text: string): { name: string; value: string }[] {
  const entries: { name: string; value: string }[] = [];
  let name: string | undefined;
  let part = "";
  let start = 0;
  const end = () => {
    if (name === undefined) {
      throw new SyntaxError(
        `${ACTION}: ${FORM}, found ${quote(part)} without "="`,
      );
    }
    entries.push({ name, value: part });
    name = undefined;
    part = "";
  };
  for (let index = 0; index < text.length; index++) {
    const character = text[index]!;
    if (character === "\\") {
      if (++index === text.length) {
        throw new SyntaxError(
          `${ACTION}: expected a character after the last backslash, found none`,
        );
      }
      part += text[index];
    } else if (character === ",") {
      end();
      start = index + 1;
    } else if (character === "=" && name === undefined) {
      requireNoSpace(text.slice(start, index));
      name = part;
      part = "";
    } else part += character;
  }
  end();
  return entries;
}

/** Refuses a name that no socket is likely to have. */
function requireNoSpace(written: string): void {
  if (!/^\s|(?<!\\)\s$/.test(written)) return;
  throw new SyntaxError(
    `${ACTION}: ${FORM}, found a space around the name ` +
      `${quote(written.trim())}: remove it, or put a backslash before it`,
  );
}

function parseValue(name: string, value: string): NamedAddress["asked"] {
  if (value === "*") return "*";
  const action = `${ACTION}: the entry ${quote(name)}`;
  const [, digits] = /^:?([0-9]+)$/.exec(value) ?? [];
  const address = digits === undefined
    ? parseAskedAddress(action, value)
    : { port: Number(digits) };
  if ("port" in address && !(address.port >= 1 && address.port <= 65535)) {
    throw new RangeError(
      `${action}: expected a port from 1 to 65535, found ${address.port}`,
    );
  }
  return address;
}

function parseAskedAddress(action: string, value: string): AskedAddress {
  try {
    const { kind, ...address } = parseBindAddress(value);
    if (kind !== "udp") return address;
  } catch (error) {
    throw new SyntaxError(`${action}: ${(error as Error).message}`);
  }
  throw new SyntaxError(
    `${action}: expected the address of a stream socket, found ${quote(value)}`,
  );
}
