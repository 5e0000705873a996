/**
 * Formats a report as JSON. `docs/command.md` documents the fields; an unknown value
 * is `null`.
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
import {
  type ExaminedDescriptor,
  isInOrder,
  type Report,
  SERVICE_VARIABLES,
} from "./report.ts";
import { RUNTIMES, type Use, verdictOf, type Way } from "../shared/use.ts";

/** Version of the format: it changes if a field changes or is removed. */
export const FORMAT = 1;

/** A JSON value. */
type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Formats a report as JSON without control characters. */
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
    service: Object.fromEntries(
      SERVICE_VARIABLES.map((name) => [name, report.service?.[name] ?? null]),
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
  { fd, name, isCounted, info, queue, use }: ExaminedDescriptor,
): Json {
  return {
    fd,
    name: name ?? null,
    counted: isCounted,
    kind: info.kind,
    ...socketJson(info),
    blocking: info.nonBlocking === undefined ? null : !info.nonBlocking,
    closeOnExec: info.closeOnExec ?? null,
    // 64-bit numbers as text, because not every JSON parser keeps them.
    inode: info.inode === undefined ? null : String(info.inode),
    link: info.link ?? null,
    device: isFileInfo(info) && info.device !== undefined
      ? String(info.device)
      : null,
    backlog: queue === undefined ? null : queue.limit,
    waiting: queue === undefined ? null : queue.waiting,
    use: Object.fromEntries(
      RUNTIMES.map((runtime) => [runtime, useJson(use[runtime])]),
    ),
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
