/**
 * Formats a report for people.
 *
 * @module
 */

import { formatAddress } from "../../core/address.ts";
import { describeAddress } from "../../core/kinds.ts";
import { LISTEN_VARIABLES } from "../../core/environment.ts";
import { isSocketInfo } from "../../core/info.ts";
import { quote } from "../../core/errors.ts";
import {
  type ExaminedDescriptor,
  type Finding,
  isInOrder,
  type MetadataSource,
  type Report,
  SERVICE_VARIABLES,
} from "./report.ts";
import { formatFds } from "./findings.ts";
import { type Cell, columns, type Style, wrap } from "./style.ts";
import { RUNTIMES, TITLES, type Use } from "../shared/use.ts";

const SOURCES: Readonly<Record<MetadataSource, string>> = {
  libc: "the C library",
  proc: "/proc",
  fstat: "fstat(2)",
  none: "nothing",
};

/** Formats a report as tables and lists that fit a common terminal. */
export function formatReport(report: Report, style: Style): string {
  const { subject, descriptors, findings } = report;
  const { runtime, version, pid, source } = subject;
  const problems = findings.filter(({ isProblem }) => isProblem);
  const notes = findings.filter(({ isProblem }) => !isProblem);
  const parts = [
    [
      `${TITLES[runtime]} ${version}, process ${pid}, descriptors read from ` +
      SOURCES[source],
    ],
    columns(
      LISTEN_VARIABLES.map((name) => [
        { text: name, format: "bold" },
        variableCell(report.variables[name]),
      ]),
      style,
    ),
    ...serviceLines(report, style),
    ...descriptors.length === 0
      ? [[style("dim", "No descriptors")]]
      : [descriptorLines(descriptors, style), useLines(report, style)],
    ...findingLines(style("red", "Problems"), problems),
    ...findingLines(style("yellow", "Notes"), notes),
    [
      isInOrder(report) ? style("green", "In order") : style(
        "red",
        `Not in order: ${problems.length} problem${
          problems.length === 1 ? "" : "s"
        }`,
      ),
    ],
  ];
  return `${parts.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

/** Shows the variables of notifications that are set. */
function serviceLines({ service }: Report, style: Style): string[][] {
  const names = SERVICE_VARIABLES.filter((name) =>
    service?.[name] !== undefined
  );
  if (names.length === 0) return [];
  return [columns(
    names.map((name) => [
      { text: name, format: "bold" },
      variableCell(service![name]),
    ]),
    style,
  )];
}

function variableCell(value: string | undefined): Cell {
  if (value === undefined) return { text: "(not set)", format: "dim" };
  return { text: /^\d{1,20}$/.test(value) ? value : quote(value) };
}

/** Formats a name for a column: printable ASCII, at most 24 characters. */
function nameText(name: string | undefined): string {
  if (name === undefined) return "-";
  if (/^[\w.@-]{1,24}$/.test(name)) return name;
  const quoted = quote(name.length > 20 ? `${name.slice(0, 20)}` : name);
  const ascii = quoted.replace(
    /[^ -~]/g,
    (character) =>
      `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return name.length > 20 ? `${ascii}...` : ascii;
}

function yesNo(value: boolean | undefined): string {
  return value === undefined ? "?" : value ? "yes" : "no";
}

/** Limit of rows for descriptors that are not open. */
const SHOWN_CLOSED = 20;

function descriptorLines(
  descriptors: readonly ExaminedDescriptor[],
  style: Style,
): string[] {
  const header = [
    ...["FD", "NAME", "KIND", "FAMILY", "BLOCKS", "CLOEXEC", "BACKLOG"],
    "ADDRESS",
  ].map((text): Cell => ({ text, format: "bold" }));
  const shown = descriptors.filter(({ info }, index) =>
    info.kind !== "closed" || index < SHOWN_CLOSED
  );
  const hidden = descriptors.length - shown.length;
  return [
    ...columns([header, ...shown.map(descriptorRow)], style),
    ...hidden > 0 ? [style("dim", `and ${hidden} more that are not open`)] : [],
  ];
}

function descriptorRow({ fd, name, info, queue }: ExaminedDescriptor): Cell[] {
  const family = isSocketInfo(info) ? info.family ?? "?" : "-";
  const isClosed = info.kind === "closed";
  const mayListen = info.kind.endsWith("-listener") ||
    info.kind === "unknown" ||
    (info.kind === "socket" && info.listening === undefined);
  const cells = [
    String(fd),
    nameText(name),
    info.kind,
    isClosed ? "-" : String(family),
    isClosed
      ? "-"
      : yesNo(info.nonBlocking === undefined ? undefined : !info.nonBlocking),
    isClosed ? "-" : yesNo(info.closeOnExec),
    queue !== undefined
      ? `${queue.waiting}/${queue.limit}`
      : mayListen
      ? "?"
      : "-",
    addressText(info),
  ];
  return cells.map((text, column) => ({
    text,
    ...column === 2 && isClosed && { format: "red" as const },
  }));
}

/** Formats the address of a socket, or the path of a file. */
function addressText(info: ExaminedDescriptor["info"]): string {
  if (info.address !== undefined) {
    const text = formatAddress(info.address);
    return /^[\w.:@/[\]%-]+$/.test(text) ? text : describeAddress(info.address);
  }
  if (info.kind === "closed") return "-";
  if (isSocketInfo(info)) return "?";
  return info.link === undefined ? "?" : quote(info.link);
}

/** Formats the ways to use descriptors in each runtime: a row for equal ones. */
function useLines(
  { descriptors, subject }: Report,
  style: Style,
): string[] {
  const reasons: string[] = [];
  const noteNumber = (reason: string) => {
    const index = reasons.indexOf(reason);
    return index < 0 ? reasons.push(reason) : index + 1;
  };
  const groups = new Map<string, { cells: Cell[]; fds: number[] }>();
  for (const { fd, use } of descriptors) {
    const cells = RUNTIMES.map((runtime) => useCell(use[runtime], noteNumber));
    const key = cells.map(({ text }) => text).join("\t");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { cells, fds: [fd] });
    else group.fds.push(fd);
  }
  const header = [...RUNTIMES.map((name) => TITLES[name].toUpperCase()), "FDS"];
  const { noAdopter, runtime } = subject;
  const usesNative = descriptors.some(({ use }) =>
    use[runtime].native !== undefined
  );
  return [
    ...columns([
      header.map((text): Cell => ({ text, format: "bold" })),
      ...[...groups.values()].map(({ cells, fds }) => [
        ...cells,
        { text: formatFds(fds) },
      ]),
    ], style),
    ...reasons.flatMap((reason, index) =>
      wrap(`[${index + 1}] ${reason}`, "    ")
    ),
    ...groups.size > 0 ? wrap(LEGEND, "") : [],
    ...noAdopter !== undefined && usesNative && runtime !== "node"
      ? wrap(
        `Not native here, on ${TITLES[runtime]} ${subject.version}: ` +
          noAdopter.reason,
        "",
      )
      : [],
  ];
}

const LEGEND = "native 2.3: the runtime's own servers, from its version 2.3 " +
  "on; portable: those of node:net";

function useCell(
  { native, portable, reason, isUnknown }: Use,
  noteNumber: (reason: string) => number,
): Cell {
  const since = (version: string) => version.replace(/\.0$/, "");
  const words = native !== undefined && portable?.since === native.since
    ? `native, portable ${since(native.since)}`
    : [
      native && `native ${since(native.since)}`,
      portable && `portable ${since(portable.since)}`,
    ].filter(Boolean).join(", ") || (isUnknown ? "?" : "no");
  const text = reason === undefined
    ? words
    : `${words} [${noteNumber(reason)}]`;
  return native === undefined && portable === undefined
    ? { text, format: "dim" }
    : { text };
}

function findingLines(
  title: string,
  findings: readonly Finding[],
): string[][] {
  if (findings.length === 0) return [];
  return [[
    title,
    ...findings.flatMap(({ message }) => wrap(`- ${message}`, "  ")),
  ]];
}
