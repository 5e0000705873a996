/**
 * The inherited sockets, as the calls of an unmodified program take them.
 *
 * @module
 */

import type { Activation } from "../core/activation.ts";
import { Descriptor } from "../core/descriptor.ts";
import { ActivationError } from "../core/errors.ts";
import type { DescriptorInfo } from "../core/info.ts";
import type { ListenSource, Platform } from "../runtime/platform.ts";
import { requireKind } from "../runtime/checks.ts";
import type { AskedAddress } from "./asked_address.ts";
import { type OfferedSocket, SocketMatcher } from "./matching.ts";
import type { PreloadSettings } from "./settings.ts";

/** An inherited socket that a call can take. */
interface HandedSocket extends OfferedSocket {
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

/** An address that a call asks for is in use, as the runtime would report it. */
export class AddressInUseError extends Error {
  readonly code = "EADDRINUSE";
  readonly syscall = "listen";

  constructor(message: string) {
    super(message);
    this.name = "AddressInUseError";
  }
}

/** The inherited stream listeners. */
export class HandedSockets {
  readonly #platform: Platform;
  readonly #activated: Activation;
  readonly #settings: PreloadSettings;
  readonly #matcher: SocketMatcher<HandedSocket>;
  /** Ends the process after a second call by `*`. */
  readonly #fail: (message: string) => never;

  constructor(
    platform: Platform,
    activated: Activation,
    settings: PreloadSettings,
    fail: (message: string) => never,
  ) {
    this.#platform = platform;
    this.#activated = activated;
    this.#settings = settings;
    this.#fail = fail;
    const { descriptors } = activated;
    const infos = Descriptor.inspectAll(descriptors);
    const sockets = descriptors.map((descriptor, index): HandedSocket => {
      const info = infos[index]!;
      return { name: descriptor.name, address: info.address, descriptor, info };
    });
    this.#matcher = new SocketMatcher(
      sockets.filter(({ info }) => mayListen(info)),
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
        return this.#fail(match.message);
      case "take":
        return this.#open(match.sockets, call);
    }
  }

  /**
   * Takes the sockets that a call gets, and releases them if it fails.
   *
   * @param create Creates the server, and calls `onEnd` when it has ended.
   * @returns `undefined` if the call binds its address itself.
   * @throws {ActivationError | AddressInUseError} As {@linkcode take}.
   */
  use<T>(
    asked: AskedAddress,
    call: string,
    create: (
      source: TakenSockets["source"],
      call: string,
      onEnd: () => void,
    ) => T,
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

  /** Says what happened, where that is asked for. */
  #tell(message: string): void {
    if (this.#settings.isVerbose) console.error(`listenfds: ${message}`);
  }

  #open(sockets: readonly HandedSocket[], call: string): TakenSockets {
    const descriptors = sockets.map(({ descriptor }) => descriptor);
    const infos = sockets.map(({ info }) => info);
    requireKind(
      this.#platform,
      descriptors,
      infos,
      "stream-listener",
      call,
    );
    // Another part of the program may have claimed one by its name.
    for (const { fd } of descriptors) this.#claim(fd, call);
    const copies = this.#duplicate(descriptors);
    const [first, ...rest] = copies ?? descriptors;
    this.#matcher.take(sockets, call);
    this.#tell(`${call} takes ${descriptors.join(" and ")}`);
    const release = () => {
      for (const copy of copies ?? []) this.#platform.close(copy.fd);
      this.#matcher.release(sockets);
    };
    return {
      source: { kind: "inherited", descriptors: [first!, ...rest], infos },
      release,
      end: () => {
        // Where descriptors can't be duplicated, the sockets are closed.
        if (copies !== undefined) this.#matcher.release(sockets);
      },
    };
  }

  /** Claims a descriptor, once for all calls that take it. */
  #claim(fd: number, call: string): void {
    if (this.#claimed.has(fd)) return;
    Reflect.apply(this.#activated.claimFd, this.#activated, [fd, call]);
    this.#claimed.add(fd);
  }

  readonly #claimed = new Set<number>();

  /**
   * Duplicates descriptors, so that the sockets are open after their server has
   * ended, and another can listen on them.
   */
  #duplicate(descriptors: readonly Descriptor[]): Descriptor[] | undefined {
    const libc = this.#platform.libc();
    return libc &&
      descriptors.map(({ fd, name, inspector }) =>
        new Descriptor(libc.duplicate(fd), name, inspector)
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
