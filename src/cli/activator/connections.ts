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

/** A command for connections. */
export interface ConnectionService {
  /** Listening sockets. */
  readonly held: HeldSockets;
  /** Starts the command with a connection as its descriptor. */
  start(
    fd: number,
    env: Readonly<Record<string, string | undefined>>,
  ): RunningCommand;
  /** Signals that this process receives. */
  readonly signals: Signals;
  /** Time until a command's remaining processes are killed. */
  readonly stopTimeoutMs: number;
  /** Limit of concurrent commands. */
  readonly maxConnections: number;
  /** Prints a line for people. */
  report(text: string): void;
}

/** Starts a command for each connection; returns the status after a signal. */
export async function serveConnections(
  service: ConnectionService,
): Promise<number> {
  const { held, signals, stopTimeoutMs, maxConnections, report } = service;
  const running = new Set<Promise<void>>();
  const stopAccepting = held.accept((connection) => {
    try {
      if (running.size >= maxConnections) {
        report(
          `${
            describeConnection(connection)
          } is closed: there are ${running.size} ` +
            `connections already`,
        );
        return;
      }
      const command = service.start(connection.fd, peerVariables(connection));
      signals.addReceiver(command);
      const ended = command.exited.then(async (ending) => {
        if (ending.code !== 0 && !signals.isTerminating) {
          report(
            `${describeConnection(connection)}: the command ended ` +
              describeEnding(ending),
          );
        }
        await command.endGroup(stopTimeoutMs);
        signals.removeReceiver(command);
      }, (error) => report(String(error)))
        .finally(() => running.delete(ended));
      running.add(ended);
    } finally {
      connection.close();
    }
  });
  const signal = await signals.termination;
  stopAccepting();
  await Promise.all(running);
  return statusOfSignal(signal);
}

function describeConnection(connection: AcceptedConnection): string {
  const { port } = connection;
  const hostname = peerHost(connection);
  if (hostname === undefined || port === undefined) return "a connection";
  const kind = hostname.includes(":") ? "ipv6" : "ipv4";
  return `the connection from ${formatAddress({ kind, hostname, port })}`;
}

/** Returns the peer's address; maps `::ffff:127.0.0.1` to IPv4. */
function peerHost({ hostname }: AcceptedConnection): string | undefined {
  return hostname?.replace(/^::ffff:(?=\d+\.)/, "");
}

/** Returns the variables for a connection (`systemd.exec(5)`). */
function peerVariables(
  connection: AcceptedConnection,
): Record<string, string | undefined> {
  const { port } = connection;
  return {
    REMOTE_ADDR: peerHost(connection),
    REMOTE_PORT: port === undefined ? undefined : String(port),
  };
}
