/**
 * Types of the units to write.
 *
 * @module
 */

import type { ServiceCommand } from "./command.ts";
import type { InstancesPlan } from "./instances.ts";
import type { NotifyPlan } from "./notify.ts";

/** A unit. */
export interface UnitFile {
  /** Name of the file. */
  readonly name: string;
  readonly text: string;
}

/** Sockets with the same name. */
export interface NamedSockets {
  /** Name of the descriptors. */
  readonly name: string;
  /** Lines such as `ListenStream=127.0.0.1:80`. */
  readonly listen: readonly string[];
  readonly hasIpv6: boolean;
  readonly hasPath: boolean;
  readonly hasStream: boolean;
}

/** Content of the units. */
export interface UnitPlan {
  /** Name of the service without its suffix. */
  readonly name: string;
  readonly description: string | undefined;
  readonly sockets: readonly NamedSockets[];
  readonly command: ServiceCommand;
  /** True to start a process for each connection. */
  readonly accept: boolean;
  /** Instances of a template; `undefined` for one process. */
  readonly instances: InstancesPlan | undefined;
  readonly backlog: number | undefined;
  readonly socketMode: string | undefined;
  readonly socketGroup: string | undefined;
  /** User of the service; `undefined` for `DynamicUser=yes`. */
  readonly user: string | undefined;
  readonly envFile: string | undefined;
  readonly workingDirectory: string | undefined;
  /** How the service notifies systemd; `undefined` if it doesn't. */
  readonly notify: NotifyPlan | undefined;
  /** True if the service needs a path in a home directory. */
  readonly needsHome: boolean;
}

/** A socket unit, and the service that it starts. */
export interface UnitPair {
  readonly socket: string;
  readonly service: string;
  readonly sockets: NamedSockets;
}
