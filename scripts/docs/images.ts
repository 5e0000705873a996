/**
 * The pictures of the documentation: what is drawn by hand below, and the
 * throughput from the figures in `bench/results/throughput.json`.
 *
 *     deno run -A scripts/docs/images.ts [--check]
 *
 * `--check` writes nothing, and fails if a picture would change.
 *
 * @module
 */

import { chart } from "../../bench/throughput_chart.ts";

const ROOT = new URL("../../", import.meta.url);

/** Colours for light and dark pages, with the same contrast. */
const STYLE = `
  svg { font: 12px system-ui, sans-serif; }
  text { fill: #24292f; }
  .paper { fill: #ffffff; }
  .title { font-weight: 600; }
  .note { fill: #57606a; }
  .code { font-family: ui-monospace, monospace; font-size: 11.5px; }
  .box { fill: #f6f8fa; stroke: #8c959f; }
  .arrow { fill: none; stroke: #57606a; stroke-width: 1.5; }
  .head { fill: #57606a; }
  .socket { fill: #1a7f37; }
  .old { fill: #0969da; }
  .drain { fill: #57606a; }
  .new { fill: #8250df; }
  .label { fill: #ffffff; font-weight: 600; }
  .wait { stroke: #bf8700; stroke-width: 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .paper { fill: #0d1117; }
    .note { fill: #9198a1; }
    .box { fill: #161b22; stroke: #768390; }
    .arrow { stroke: #9198a1; }
    .head { fill: #9198a1; }
    .socket { fill: #238636; }
    .old { fill: #1f6feb; }
    .drain { fill: #444c56; }
    .new { fill: #8957e5; }
    .label { fill: #ffffff; }
    .wait { stroke: #d29922; }
  }`;

/** A text; `&` and `<` are the only characters that XML takes for its own. */
function text(x: number, y: number, content: string, names = ""): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text class="${names}" x="${x}" y="${y}">${escaped}</text>`;
}

function document(
  title: string,
  [width, height]: readonly [number, number],
  shapes: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
    `width="${width}" height="${height}" role="img" aria-label="${title}">`,
    `<style>${STYLE}\n</style>`,
    `<rect class="paper" width="${width}" height="${height}" />`,
    ...shapes,
    "</svg>\n",
  ].join("\n");
}

/** An arrow that ends with its head at a point. */
function arrow(path: string, x: number, y: number, isDown = false): string {
  const head = isDown ? `M${x} ${y}l-5 -9h10z` : `M${x} ${y}l-9 -5v10z`;
  return `<path class="arrow" d="${path}" /><path class="head" d="${head}" />`;
}

interface Box {
  readonly x: number;
  readonly title: string;
  /** Lines, each with the names of its classes. */
  readonly lines: readonly (readonly [content: string, names: string])[];
}

/** The way of a socket: from the unit to a handler. */
function drawSocket(): string {
  const boxes: readonly Box[] = [
    {
      x: 16,
      title: "1. Socket unit",
      lines: [
        ["ListenStream=80", "code"],
        ["FileDescriptorName=web", "code"],
      ],
    },
    {
      x: 246,
      title: "2. systemd",
      lines: [
        ["binds and listens as root,", ""],
        ["starts the service with its", ""],
        ["first connection", ""],
        ["LISTEN_FDS=1", "code"],
        ["LISTEN_FDNAMES=web", "code"],
        ["descriptor 3: the socket", "note"],
      ],
    },
    {
      x: 476,
      title: "3. Your program",
      lines: [
        ['serve("web", handler)', "code"],
        ["claims the name, checks", ""],
        ["the kind, and accepts on", ""],
        ["Deno, Bun or Node", ""],
      ],
    },
  ];
  const drawn = boxes.flatMap(({ x, title, lines }) => [
    `<rect class="box" x="${x}" y="16" width="188" height="160" rx="6" />`,
    text(x + 12, 40, title, "title"),
    ...lines.map(([content, names], index) =>
      text(x + 12, 64 + index * 19, content, names)
    ),
  ]);
  return document("The way of a socket", [680, 232], [
    ...drawn,
    arrow("M204 96H237", 246, 96),
    arrow("M434 96H467", 476, 96),
    `<rect class="socket" x="246" y="192" width="188" height="26" rx="4" />`,
    text(258, 210, "the socket stays bound", "label"),
    arrow("M340 176V183", 340, 192, true),
    text(448, 210, "while no program runs, too", "note"),
  ]);
}

/** A restart on a time line. */
function drawRestart(): string {
  const bar = (
    [x, y, width]: readonly [number, number, number],
    names: string,
    content: string,
  ) =>
    `<rect class="${names}" x="${x}" y="${y}" width="${width}" height="26" ` +
    `rx="4" />${text(x + 10, y + 18, content, "label")}`;
  const mark = (x: number, content: string) =>
    `<path class="arrow" stroke-dasharray="3 4" d="M${x} 40V196" />` +
    text(x + 4, 34, content, "note");
  const waiting = [372, 391, 410, 429].map((x) =>
    `<path class="wait" d="M${x} 160v22" />`
  );
  return document("A restart on a time line", [680, 232], [
    mark(230, "SIGTERM"),
    mark(450, "listens"),
    text(16, 66, "socket"),
    bar([110, 48, 554], "socket", "bound and listening, held by systemd"),
    text(16, 104, "old process"),
    bar([110, 86, 120], "old", "serves"),
    bar([232, 86, 128], "drain", "answers all"),
    text(16, 142, "new process"),
    bar([360, 124, 88], "drain", "starts"),
    bar([450, 124, 214], "new", "serves"),
    text(16, 177, "connections"),
    ...waiting,
    text(238, 177, "wait in the backlog", "note"),
    arrow("M452 171H476", 485, 171),
    text(494, 176, "answered"),
    arrow("M110 208H655", 664, 208),
    text(110, 226, "time", "note"),
  ]);
}

/** Returns each picture, by its path in the repository. */
export async function drawImages(): Promise<Map<string, string>> {
  const figures = new URL("bench/results/throughput.json", ROOT);
  return new Map([
    ["docs/images/socket.svg", drawSocket()],
    ["docs/images/restart.svg", drawRestart()],
    [
      "bench/results/throughput.svg",
      chart(JSON.parse(await Deno.readTextFile(figures))),
    ],
  ]);
}

/** Formats a picture as `deno fmt` does, which checks it, too. */
async function format(drawn: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--ext=svg", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const formatted = new Response(child.stdout).text();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(drawn));
  await writer.close();
  return await formatted;
}

if (import.meta.main) {
  const isCheck = Deno.args.includes("--check");
  for (const [path, shapes] of await drawImages()) {
    const file = new URL(path, ROOT);
    const drawn = await format(shapes);
    if (!isCheck) {
      await Deno.writeTextFile(file, drawn);
      continue;
    }
    if (await Deno.readTextFile(file) === drawn) continue;
    console.error(
      `Checking pictures: ${path} is not what is drawn: run ` +
        `deno run -A scripts/docs/images.ts`,
    );
    Deno.exitCode = 1;
  }
}
