/**
 * Which sockets a call that listens takes. A call never gets a socket that no rule
 * gives it: a program that listens for its administration first must not get the
 * public socket.
 *
 * @module
 */

import { type Address, formatAddress } from "../core/address.ts";
import { quote, quoteUnlessPlain } from "../core/errors.ts";
import {
  type AskedAddress,
  givesAskedAddress,
  hasAskedAddress,
  type SameFile,
  showAsked,
} from "./asked_address.ts";
import type { NamedAddress } from "./listenfds_map.ts";

/** A socket that a call can take. */
export interface OfferedSocket {
  readonly name: string;
  /** `undefined` where it can't be read. */
  readonly address: Address | undefined;
}

/** What a call gets. */
export type Match<Socket> =
  | { readonly kind: "take"; readonly sockets: readonly [Socket, ...Socket[]] }
  /** The call binds its address itself. */
  | { readonly kind: "bind" }
  | {
    /**
     * - `unmatched`: no rule gives it a socket.
     * - `taken`: the sockets belong to an earlier call.
     * - `second`: so, and by `*`, so that it is unknown which call was meant.
     */
    readonly kind: "unmatched" | "taken" | "second";
    readonly message: string;
  };

/** The sockets that a rule gives a call. */
interface FoundSockets<Socket> {
  readonly sockets: readonly Socket[];
  /** The name in the map, where an entry gives them. */
  readonly entryName?: string;
}

/** Matches calls with sockets, and remembers which are taken. */
export class SocketMatcher<Socket extends OfferedSocket> {
  readonly #sockets: readonly Socket[];
  readonly #entries: readonly NamedAddress[];
  readonly #bindsUnmatched: boolean;
  readonly #sameFile: SameFile;
  /** The call that has taken a socket. */
  readonly #taken: Map<Socket, string> = new Map();

  constructor(
    sockets: readonly Socket[],
    entries: readonly NamedAddress[],
    bindsUnmatched: boolean,
    sameFile: SameFile = () => false,
  ) {
    this.#sockets = sockets;
    this.#entries = entries;
    this.#bindsUnmatched = bindsUnmatched;
    this.#sameFile = sameFile;
  }

  /**
   * Finds the sockets for a call.
   *
   * @param call The call in messages, such as `listen(3000)`.
   */
  match(asked: AskedAddress, call: string): Match<Socket> {
    const found = this.#findByMap(asked) ?? this.#findByAddress(asked);
    if (this.#sockets.length === 0 && (found || !this.#bindsUnmatched)) {
      return {
        kind: "unmatched",
        message: `${call}: no stream listener was handed over: set ` +
          `ListenStream= and Accept=no in the socket unit`,
      };
    }
    if (found !== undefined) return this.#takeAll(found, asked, call);
    const any = this.#entries.find((entry) => entry.asked === "*");
    if (any !== undefined) return this.#takeAny(any.name, asked, call);
    if (this.#bindsUnmatched) return { kind: "bind" };
    return { kind: "unmatched", message: this.#explain(asked, call) };
  }

  /** Records that a call has taken sockets. */
  take(sockets: readonly Socket[], call: string): void {
    for (const socket of sockets) this.#taken.set(socket, call);
  }

  /** Records that sockets can be taken again. */
  release(sockets: readonly Socket[]): void {
    for (const socket of sockets) this.#taken.delete(socket);
  }

  #ofEntry(entryName: string): FoundSockets<Socket> {
    const sockets = this.#sockets.filter(({ name }) => name === entryName);
    return { sockets, entryName };
  }

  /** Finds sockets by the entries of the map, the more exact ones first. */
  #findByMap(asked: AskedAddress): FoundSockets<Socket> | undefined {
    const matching = this.#entries.filter((entry) =>
      entry.asked !== "*" &&
      givesAskedAddress(entry.asked, asked, this.#sameFile)
    );
    const entry =
      matching.find(({ asked }) =>
        asked !== "*" && "port" in asked && asked.hostname !== undefined
      ) ?? matching[0];
    return entry && this.#ofEntry(entry.name);
  }

  /**
   * Finds the sockets that have the address, and with them those of the same name
   * and port: IPv4 and IPv6. A name in the map has only the addresses there.
   */
  #findByAddress(asked: AskedAddress): FoundSockets<Socket> | undefined {
    const mapped = new Set(this.#entries.map(({ name }) => name));
    const unmapped = this.#sockets.filter(({ name }) => !mapped.has(name));
    const names = new Set(
      unmapped.filter(({ address }) =>
        address !== undefined && hasAskedAddress(address, asked, this.#sameFile)
      ).map(({ name }) => name),
    );
    if (names.size === 0) return undefined;
    const sockets = unmapped.filter(({ name, address }) =>
      address !== undefined && names.has(name) &&
      ("port" in asked
        ? hasAskedPort(address, asked)
        : hasAskedAddress(address, asked, this.#sameFile))
    );
    return { sockets };
  }

  #takeAny(name: string, asked: AskedAddress, call: string): Match<Socket> {
    const found = this.#ofEntry(name);
    const match = this.#takeAll(found, asked, call);
    if (match.kind !== "taken") return match;
    // A program knows the port of the socket from its server, and may try it on
    // other addresses, as Fastify does.
    if (found.sockets.some(({ address }) => hasAskedPort(address, asked))) {
      return match;
    }
    return {
      kind: "second",
      message: `${match.message}: LISTENFDS_MAP gives ${quote(name)} to any ` +
        `address, and the program asks for a second one: write the address that ` +
        `is meant in place of "*"`,
    };
  }

  #takeAll(
    { sockets, entryName }: FoundSockets<Socket>,
    asked: AskedAddress,
    call: string,
  ): Match<Socket> {
    const [first, ...rest] = sockets;
    if (first === undefined) {
      return {
        kind: "unmatched",
        message: `${call}: LISTENFDS_MAP gives ${showAsked(asked)} to ${
          quote(entryName!)
        }, which was not handed over (${this.#list()}): set FileDescriptorName=${
          quoteUnlessPlain(entryName!)
        } in the socket unit, or ${this.#adviseEntry(asked)}`,
      };
    }
    for (const socket of sockets) {
      const earlier = this.#taken.get(socket);
      if (earlier === undefined) continue;
      return {
        kind: "taken",
        message: `${call}: the socket ${quote(socket.name)} is in use since ` +
          earlier,
      };
    }
    return { kind: "take", sockets: [first, ...rest] };
  }

  #explain(asked: AskedAddress, call: string): string {
    const what = "path" in asked ? "path" : "port";
    const isUnknown = this.#sockets.some(({ address }) => !address);
    const found = isUnknown
      ? `the addresses of the sockets can't be read here`
      : `no socket handed over has this ${what}`;
    return `${call}: ${found} (${this.#list()}): set ${
      this.#adviseEntry(asked)
    }`;
  }

  /** Returns the entry of the map that gives a call the socket that is meant. */
  #adviseEntry(asked: AskedAddress): string {
    const names = new Set(this.#sockets.map(({ name }) => name));
    const [name] = names;
    const isOnly = names.size === 1;
    return `LISTENFDS_MAP=${isOnly ? escape(name!) : "NAME"}=${
      escape(showAsked(asked))
    }${isOnly ? "" : ", with the name of the socket that is meant"}`;
  }

  #list(): string {
    return this.#sockets.map(describeSocket).join(", ");
  }
}

function hasAskedPort(
  address: Address | undefined,
  asked: AskedAddress,
): boolean {
  return address !== undefined && "port" in address && "port" in asked &&
    address.port === asked.port;
}

function describeSocket({ name, address }: OfferedSocket): string {
  return address === undefined
    ? `the address of ${quote(name)} is unknown`
    : `${quote(name)} is ${quoteUnlessPlain(formatAddress(address))}`;
}

/** Escapes what has a meaning in the map. */
function escape(text: string): string {
  return text.replace(/[\\,=]/g, "\\$&");
}
