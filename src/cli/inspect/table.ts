/**
 * What was found, for people.
 *
 * @module
 */

import { formatAddress } from "../../core/address.ts";
import { describeAddress } from "../../core/kinds.ts";
import { LISTEN_VARIABLES } from "../../core/environment.ts";
import { isSocketInfo } from "../../core/info.ts";
import { quote } from "../../core/errors.ts";
import {
  type Examined,
  isInOrder,
  type Report,
  type Source,
} from "./examine.ts";
import { type Finding, formatFds } from "./findings.ts";
import { type Cell, columns, type Style, wrap } from "../shared/style.ts";
import { RUNTIMES, TITLES, type Use } from "../shared/use.ts";

const SOURCES: Readonly<Record<Source, string>> = {
  libc: "the C library",
  proc: "/proc",
  fstat: "fstat(2)",
  none: "nothing",
};

/**
 * Writes a report as people read it, no wider than a usual terminal.
 *
 * @param report What was found.
 * @param style How text is set off.
 * @returns The text.
 */
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
    columns(LISTEN_VARIABLES.map((name) => [
      { text: name, style: style.bold },
      variableCell(report.variables[name], style),
    ])),
    ...descriptors.length === 0
      ? [[style.dim("No descriptors")]]
      : [descriptorLines(descriptors, style), useLines(report, style)],
    ...findingLines("Problems", problems, style.red),
    ...findingLines("Notes", notes, style.yellow),
    [
      isInOrder(report)
        ? style.green("In order")
        : style.red(`Not in order: ${count(problems.length, "problem")}`),
    ],
  ];
  return `${parts.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function variableCell(value: string | undefined, style: Style): Cell {
  if (value === undefined) return { text: "(not set)", style: style.dim };
  return { text: /^\d{1,20}$/.test(value) ? value : quote(value) };
}

/** A name as it may stand in a column: printable ASCII, and not too long. */
function nameText(name: string | undefined): string {
  if (name === undefined) return "-";
  if (/^[\w.@-]{1,24}$/.test(name)) return name;
  const quoted = quote(name.length > 20 ? `${name.slice(0, 20)}` : name);
  const ascii = quoted.replace(
    /[^ -~]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return name.length > 20 ? `${ascii}...` : ascii;
}

const YES_NO = { true: "yes", false: "no", undefined: "?" } as const;

function yesNo(value: boolean | undefined): string {
  return YES_NO[`${value}`];
}

function not(value: boolean | undefined): boolean | undefined {
  return value === undefined ? undefined : !value;
}

function descriptorLines(
  descriptors: readonly Examined[],
  style: Style,
): string[] {
  const header = [
    ...["FD", "NAME", "KIND", "FAMILY", "BLOCKS", "CLOEXEC", "BACKLOG"],
    "ADDRESS",
  ].map((text) => ({ text, style: style.bold }));
  // Those that are not open at the end tell nothing one by one.
  const shown = descriptors.filter(({ info }, at) =>
    info.kind !== "closed" || at < SHOWN_CLOSED
  );
  const left = descriptors.length - shown.length;
  return [
    ...columns([header, ...shown.map((one) => descriptorRow(one, style))]),
    ...left > 0 ? [style.dim(`and ${left} more that are not open`)] : [],
  ];
}

const SHOWN_CLOSED = 20;

function descriptorRow(
  { fd, name, info, queue }: Examined,
  style: Style,
): Cell[] {
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
    isClosed ? "-" : yesNo(not(info.nonBlocking)),
    isClosed ? "-" : yesNo(info.closeOnExec),
    queue !== undefined
      ? `${queue.waiting}/${queue.limit}`
      : mayListen
      ? "?"
      : "-",
    placeText(info),
  ];
  return cells.map((text, at) => ({
    text,
    ...at === 2 && isClosed && { style: style.red },
  }));
}

/** Where a socket is bound, or what a file is called. */
function placeText(info: Examined["info"]): string {
  if (info.address !== undefined) {
    const text = formatAddress(info.address);
    return /^[\w.:@/[\]%-]+$/.test(text) ? text : describeAddress(info.address);
  }
  if (info.kind === "closed") return "-";
  if (isSocketInfo(info)) return "?";
  return info.link === undefined ? "?" : quote(info.link);
}

/** What each runtime can do: a row for all descriptors of which the same holds. */
function useLines(
  { descriptors, subject }: Report,
  style: Style,
): string[] {
  const reasons: string[] = [];
  const numberOf = (reason: string) => {
    const at = reasons.indexOf(reason);
    return at < 0 ? reasons.push(reason) : at + 1;
  };
  const groups = new Map<string, { cells: Cell[]; fds: number[] }>();
  for (const { fd, use } of descriptors) {
    const cells = RUNTIMES.map((each) => useCell(use[each], numberOf, style));
    const key = cells.map(({ text }) => text).join("\t");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { cells, fds: [fd] });
    else group.fds.push(fd);
  }
  const header = [...RUNTIMES.map((each) => TITLES[each].toUpperCase()), "FDS"];
  const { noAdopter, runtime } = subject;
  const usesNative = descriptors.some(({ use }) =>
    use[runtime].native !== undefined
  );
  return [
    ...columns([
      header.map((text) => ({ text, style: style.bold })),
      ...[...groups.values()].map(({ cells, fds }) => [
        ...cells,
        { text: formatFds(fds) },
      ]),
    ]),
    ...reasons.flatMap((reason, at) => wrap(`[${at + 1}] ${reason}`, "    ")),
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
  numberOf: (reason: string) => number,
  style: Style,
): Cell {
  const since = (version: string) => version.replace(/\.0$/, "");
  const words = native !== undefined && portable?.since === native.since
    ? `native, portable ${since(native.since)}`
    : [
      native && `native ${since(native.since)}`,
      portable && `portable ${since(portable.since)}`,
    ].filter(Boolean).join(", ") || (isUnknown ? "?" : "no");
  const text = reason === undefined ? words : `${words} [${numberOf(reason)}]`;
  return native === undefined && portable === undefined
    ? { text, style: style.dim }
    : { text };
}

function findingLines(
  title: string,
  findings: readonly Finding[],
  style: (text: string) => string,
): string[][] {
  if (findings.length === 0) return [];
  return [[
    style(title),
    ...findings.flatMap(({ message }) => wrap(`- ${message}`, "  ")),
  ]];
}
