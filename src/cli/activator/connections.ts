/**
 * Starts a command for each connection, as a service manager does for
 * `Accept=yes`.
 *
 * @module
 */

import { formatAddress } from "../../core/address.ts";
import type { AcceptedConnection } from "./binder.ts";
import type { HeldSockets } from "./bind.ts";
import {
  describeEnding,
  type RunningCommand,
  statusOfSignal,
} from "./running_command.ts";
import type { Signals } from "./signals.ts";

/** What is started for connections, and how. */
export interface ConnectionService {
  /** The listeners. */
  readonly held: HeldSockets;
  /** Starts the command with a connection. */
  start(
    fd: number,
    env: Readonly<Record<string, string | undefined>>,
  ): RunningCommand;
  /** The signals that come in. */
  readonly signals: Signals;
  /** How long the commands may take to end, in milliseconds. */
  readonly stopTimeout: number;
  /** How many may run at once. */
  readonly maxConnections: number;
  /** Tells a person something. */
  report(text: string): void;
}

/**
 * Starts a command for each connection until a signal asks for an end.
 *
 * @param service What, and how.
 * @returns The exit status.
 */
export async function serveConnections(
  service: ConnectionService,
): Promise<number> {
  const { held, signals, stopTimeout, maxConnections, report } = service;
  const running = new Set<Promise<void>>();
  const stopAccepting = held.accept((connection) => {
    try {
      if (running.size >= maxConnections) {
        report(
          `${describe(connection)} is closed: there are ${running.size} ` +
            `connections already`,
        );
        return;
      }
      const command = service.start(connection.fd, variables(connection));
      signals.add(command);
      const ended = command.exited.then(async (ending) => {
        if (ending.code !== 0 && !signals.isEnding) {
          report(
            `${describe(connection)}: the command ended ` +
              describeEnding(ending),
          );
        }
        await command.settle(stopTimeout);
        signals.remove(command);
      }, (error) => report(String(error)))
        .finally(() => running.delete(ended));
      running.add(ended);
    } finally {
      connection.close();
    }
  });
  const signal = await signals.end;
  stopAccepting();
  await Promise.all(running);
  return statusOfSignal(signal);
}

function describe(connection: AcceptedConnection): string {
  const { port } = connection;
  const hostname = peerOf(connection);
  if (hostname === undefined || port === undefined) return "a connection";
  const kind = hostname.includes(":") ? "ipv6" : "ipv4";
  return `the connection from ${formatAddress({ kind, hostname, port })}`;
}

/** The peer's address: an IPv4 peer of an IPv6 socket is an IPv4 peer. */
function peerOf({ hostname }: AcceptedConnection): string | undefined {
  return hostname?.replace(/^::ffff:(?=\d+\.)/, "");
}

/** What systemd tells of the peer (`systemd.exec(5)`). */
function variables(
  connection: AcceptedConnection,
): Record<string, string | undefined> {
  const { port } = connection;
  return {
    REMOTE_ADDR: peerOf(connection),
    REMOTE_PORT: port === undefined ? undefined : String(port),
  };
}
