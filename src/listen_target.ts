/**
 * What a program asks to listen on: reading targets and fallback addresses.
 *
 * @module
 */

import { describeValue, quote, requireBooleanOption } from "./core/errors.ts";
import {
  type ListenAddress,
  parseListenAddress,
} from "./core/listen_address.ts";
import type { Fallback, ListenTarget } from "./core/types.ts";
import type { ListenSource } from "./runtime/platform.ts";

/** A claimed source. */
export interface Claim {
  readonly source: ListenSource;
  /**
   * Makes the descriptors claimable again after a failed use. Resolves when the
   * listeners of the failed use are closed.
   */
  release(): Promise<void>;
  /**
   * The descriptors are served.
   *
   * @param notifies `false` if the program notifies the service manager itself.
   */
  opened(notifies?: boolean): void;
}

/** Formats a target for messages. */
export function describeTarget(target: ListenTarget): string {
  if (typeof target === "string") return quote(target);
  if (!isListenAddress(target)) return describeValue(target);
  switch (target.kind) {
    case "systemd":
      return quote(target.name);
    case "fd":
      return quote(`fd:${target.fd}`);
    case "tcp":
      return quote(`tcp:${target.hostname}:${target.port}`);
    case "unix":
      return quote(`unix:${target.path}`);
  }
}

/** Parses a target; text with a colon is an address, since no name holds one. */
export function toListenAddress(
  target: ListenTarget,
  action: string,
): ListenAddress {
  if (typeof target === "string") {
    return target.includes(":")
      ? parseListenAddress(target)
      : { kind: "systemd", name: target };
  }
  if (isListenAddress(target)) return target;
  throw new TypeError(
    `${action}: expected a name, an address such as "systemd:web", or an ` +
      `address that parseListenAddress() returned, found ${
        describeValue(target)
      }`,
  );
}

function isListenAddress(value: unknown): value is ListenAddress {
  const { kind, name, fd, hostname, port, path } = Object(value);
  switch (kind) {
    case "systemd":
      return typeof name === "string";
    case "fd":
      return Number.isInteger(fd);
    case "tcp":
      return typeof hostname === "string" && Number.isInteger(port);
    case "unix":
      return typeof path === "string";
    default:
      return false;
  }
}

/** Converts an address to bind. */
export function toFallback(
  address: ListenAddress & { kind: "tcp" | "unix" },
): Fallback {
  return address.kind === "unix"
    ? { path: address.path }
    : { port: address.port, hostname: address.hostname };
}

/** Checks the option `fallback`. */
export function requireFallback(fallback: Fallback, action: string): void {
  const { port, path, store } = Object(fallback) as {
    port?: unknown;
    path?: unknown;
    store?: unknown;
  };
  const hasPort = typeof port === "number" && path === undefined;
  const hasPath = typeof path === "string" && path !== "" && port === undefined;
  if (!hasPort && !hasPath) {
    throw new TypeError(
      `${action}: expected a fallback of { port, hostname } or { path }, found ` +
        describeValue(fallback),
    );
  }
  requireBooleanOption(store, "fallback.store", action);
  if (hasPort && !(Number.isInteger(port) && port >= 0 && port <= 65535)) {
    throw new RangeError(
      `${action}: expected a fallback port from 0 to 65535, found ${port}`,
    );
  }
}
