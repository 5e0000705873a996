/**
 * The inherited sockets, as the calls of an unmodified program take them.
 *
 * @module
 */

import { Descriptor } from "../core/descriptor.ts";
import { ActivationError } from "../core/errors.ts";
import type { DescriptorInfo } from "../core/info.ts";
import type { ListenSource, Platform } from "../runtime/platform.ts";
import type { GracefulServer } from "../runtime/backend.ts";
import { builtin } from "../runtime/builtin.ts";
import { requireKind } from "../runtime/checks.ts";
import { beginLifetime } from "../shutdown/idle_exit.ts";
import type { ServerLifetime } from "../shutdown/server_lifetime.ts";
import type { AskedAddress } from "./asked_address.ts";
import { type OfferedSocket, SocketMatcher } from "./matching.ts";
import type { PreloadSettings } from "./settings.ts";

/** An inherited socket that a call can take. */
export interface HandedSocket extends OfferedSocket {
  readonly descriptor: Descriptor;
  readonly info: DescriptorInfo;
}

/** What a call has taken. */
export interface TakenSockets {
  readonly source: ListenSource & { readonly kind: "inherited" };
  /** The call failed, and has used none of them. */
  release(): void;
  /** The server has ended: the next call may take them. */
  readonly end: () => void;
}

/** Creates the server of a call, and calls `onEnd` when it has ended. */
export type CreateServer<T> = (
  source: TakenSockets["source"],
  call: string,
  onEnd: () => void,
) => T;

/** An address that a call asks for is in use, as the runtime would report it. */
export class AddressInUseError extends Error {
  readonly code = "EADDRINUSE";
  readonly syscall = "listen";

  constructor(message: string) {
    super(message);
    this.name = "AddressInUseError";
  }
}

/** Where the sockets are, and how one is claimed. */
export interface HandedOptions {
  readonly platform: Platform;
  readonly settings: PreloadSettings;
  readonly descriptors: readonly Descriptor[];
  /** Claims a descriptor, so that nothing else in the process uses it. */
  readonly claim: (fd: number, call: string) => void;
  /** Duplicates a descriptor; `undefined` where that is impossible. */
  readonly duplicate: ((fd: number) => number) | undefined;
  /** Ends the process after a second call by `*`. */
  readonly fail: (message: string) => never;
}

/**
 * Says why a call gets no socket where the program listens for errors: it may pass
 * over them, as programs of Express do, and end with status 0.
 */
export function tellHandledError(
  server: { listenerCount(event: string): number },
  error: unknown,
): void {
  if (!(error instanceof ActivationError)) return;
  if (server.listenerCount("error") > 0) {
    console.error(`listenfds: ${error.message}`);
  }
}

/** The inherited stream listeners. */
export class HandedSockets {
  readonly platform: Platform;
  readonly settings: PreloadSettings;
  /** All descriptors, those that can't be listened on, too. */
  readonly all: readonly HandedSocket[];
  readonly #options: HandedOptions;
  readonly #matcher: SocketMatcher<HandedSocket>;
  readonly #claimed = new Set<number>();
  #isEnding = false;

  constructor(options: HandedOptions) {
    this.#options = options;
    const { platform, settings, descriptors } = options;
    this.platform = platform;
    this.settings = settings;
    const infos = Descriptor.inspectAll(descriptors);
    this.all = descriptors.map((descriptor, index): HandedSocket => {
      const info = infos[index]!;
      return { name: descriptor.name, address: info.address, descriptor, info };
    });
    this.#matcher = new SocketMatcher(
      this.all.filter(({ info }) => mayListen(info)),
      settings.entries,
      settings.bindsUnmatched,
      (a, b) => isSameFile(platform, a, b),
    );
  }

  /**
   * Takes the sockets that a call gets.
   *
   * @param call The call in messages, such as `listen(3000)`.
   * @returns `undefined` if the call binds its address itself.
   * @throws {ActivationError | AddressInUseError} If it gets none.
   */
  take(asked: AskedAddress, call: string): TakenSockets | undefined {
    const match = this.#matcher.match(asked, call);
    switch (match.kind) {
      case "bind":
        this.#tell(`${call} binds its address`);
        return undefined;
      case "taken":
        throw new AddressInUseError(match.message);
      case "unmatched":
        throw new ActivationError("unmapped", match.message);
      case "second":
        return this.#options.fail(match.message);
      case "take":
        return this.#open(match.sockets, call);
    }
  }

  /**
   * Takes the sockets that a call gets, and releases them if it fails.
   *
   * @returns `undefined` if the call binds its address itself.
   * @throws {ActivationError | AddressInUseError} As {@linkcode take}.
   */
  use<T>(
    asked: AskedAddress,
    call: string,
    create: CreateServer<T>,
  ): T | undefined {
    const taken = this.take(asked, call);
    if (taken === undefined) return undefined;
    try {
      return create(taken.source, call, taken.end);
    } catch (error) {
      taken.release();
      throw error;
    }
  }

  /** Begins the lifetime of a server of the program. */
  begin(server: GracefulServer): ServerLifetime {
    const lifetime = beginLifetime(this.platform, server, this.settings.end);
    if (this.#isEnding) {
      // After the program has learned that the server listens.
      builtin("node:timers").setImmediate(() => void lifetime.shutdown());
    }
    return lifetime;
  }

  /**
   * Drains the servers that begin from now on, too: the process ends, and would lose
   * what they accept.
   */
  end(): void {
    this.#isEnding = true;
  }

  /** Says what happened, where that is asked for. */
  #tell(message: string): void {
    if (this.settings.isVerbose) {
      console.error(`listenfds: ${message}`);
    }
  }

  #open(sockets: readonly HandedSocket[], call: string): TakenSockets {
    const descriptors = sockets.map(({ descriptor }) => descriptor);
    const infos = sockets.map(({ info }) => info);
    const { platform } = this;
    const { claim } = this.#options;
    requireKind(platform, descriptors, infos, "stream-listener", call);
    // Another part of the program may have claimed one by its name.
    for (const { fd } of descriptors) {
      if (!this.#claimed.has(fd)) claim(fd, call);
      this.#claimed.add(fd);
    }
    const copies = this.#duplicate(descriptors);
    const [first, ...rest] = copies ?? descriptors;
    this.#matcher.take(sockets, call);
    this.#tell(`${call} takes ${descriptors.join(" and ")}`);
    let isTaken = true;
    const giveBack = () => {
      // Once: a later call may have taken them since.
      if (isTaken) this.#matcher.release(sockets);
      isTaken = false;
    };
    const release = () => {
      for (const copy of copies ?? []) {
        // A listener that took it over has closed its number, which may be another
        // file's by then.
        if (copy.info.kind !== "closed") platform.close(copy.fd);
      }
      giveBack();
    };
    return {
      source: { kind: "inherited", descriptors: [first!, ...rest], infos },
      release,
      end: () => {
        // Where descriptors can't be duplicated, the sockets are closed.
        if (copies !== undefined) giveBack();
      },
    };
  }

  /**
   * Duplicates descriptors, so that the sockets are open after their server has
   * ended, and another can listen on them.
   */
  #duplicate(descriptors: readonly Descriptor[]): Descriptor[] | undefined {
    const { duplicate } = this.#options;
    return duplicate &&
      descriptors.map(({ fd, name, inspector }) =>
        new Descriptor(duplicate(fd), name, inspector)
      );
  }
}

/** Whether a descriptor is a stream listener, as far as that is known. */
function mayListen({ kind }: DescriptorInfo): boolean {
  return kind === "stream-listener" || kind === "socket" || kind === "unknown";
}

function isSameFile({ inspector }: Platform, a: string, b: string): boolean {
  const [first, second] = [a, b].map((path) => inspector.inspectPath(path));
  return first?.inode !== undefined && first.inode === second?.inode &&
    first.device === second.device;
}
