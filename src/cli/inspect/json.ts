/**
 * What was found, for programs. The shape is documented in the README; what can't
 * be told is `null`, never left out.
 *
 * @module
 */

import type { Address } from "../../core/address.ts";
import {
  type DescriptorInfo,
  isFileInfo,
  isSocketInfo,
  type SocketInfo,
} from "../../core/info.ts";
import { LISTEN_VARIABLES } from "../../core/environment.ts";
import { escapeUnprintable } from "../../core/errors.ts";
import { type Examined, isInOrder, type Report } from "./examine.ts";
import { RUNTIMES, type Use, verdictOf, type Way } from "../shared/use.ts";

/** The version of the shape: it changes when a field changes or goes. */
export const FORMAT = 1;

/** A value of JSON. */
type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/**
 * Writes a report as JSON.
 *
 * @param report What was found.
 * @returns The text, which brings no control character onto a terminal.
 */
export function formatJson(report: Report): string {
  return `${escapeUnprintable(JSON.stringify(toJson(report), null, 2))}\n`;
}

function toJson(report: Report): Json {
  const { subject, variables, descriptors, findings } = report;
  const { runtime, version, platform, pid, source, noAdopter } = subject;
  return {
    format: FORMAT,
    inOrder: isInOrder(report),
    state: report.state,
    process: {
      pid,
      runtime,
      version,
      platform,
      source,
      native: noAdopter === undefined || runtime === "node",
    },
    variables: Object.fromEntries(
      LISTEN_VARIABLES.map((name) => [name, variables[name] ?? null]),
    ),
    listenPid: report.listenPid ?? null,
    wrapper: report.wrapper ?? null,
    findings: findings.map(({ isProblem, code, fds, message }) => ({
      severity: isProblem ? "problem" : "note",
      code,
      fds,
      message,
    })),
    descriptors: descriptors.map(descriptorJson),
  };
}

function descriptorJson(
  { fd, name, isCounted, info, queue, use }: Examined,
): Json {
  return {
    fd,
    name: name ?? null,
    counted: isCounted,
    kind: info.kind,
    ...socketJson(info),
    blocking: info.nonBlocking === undefined ? null : !info.nonBlocking,
    closeOnExec: info.closeOnExec ?? null,
    // Numbers of 64 bits, which not every reader of JSON keeps.
    inode: info.inode === undefined ? null : String(info.inode),
    link: info.link ?? null,
    device: isFileInfo(info) && info.device !== undefined
      ? String(info.device)
      : null,
    backlog: queue === undefined ? null : queue.limit,
    waiting: queue === undefined ? null : queue.waiting,
    use: Object.fromEntries(RUNTIMES.map((each) => [each, useJson(use[each])])),
  };
}

function socketJson(info: DescriptorInfo): { [key: string]: Json } {
  const { family, type, protocol, listening, address, peer }: Partial<
    SocketInfo
  > = isSocketInfo(info) ? info : {};
  return {
    family: family ?? null,
    type: type ?? null,
    protocol: protocol ?? null,
    listening: listening ?? null,
    address: addressJson(address),
    peer: addressJson(peer),
  };
}

function addressJson(address: Address | undefined): Json {
  return address === undefined ? null : { ...address };
}

function useJson(use: Use): Json {
  return {
    verdict: verdictOf(use),
    native: wayJson(use.native),
    portable: wayJson(use.portable),
    reason: use.reason ?? null,
  };
}

function wayJson(way: Way | undefined): Json {
  return way === undefined
    ? null
    : { since: way.since, api: way.api, needs: way.needs };
}
