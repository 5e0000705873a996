/**
 * The programs in README.md and `docs/`, as they stand there: each runs with what
 * it names, on the runtime that it is for. `deno check --doc-only` checks their
 * types.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import type { NamedDescriptor } from "../../../src/cli/activator/activator.ts";
import { ROOT, toolOf, TOOLS } from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { type Program, startActivated } from "../../harness/program.ts";
import { bindSockets } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const NAME = "@listenfds/listenfds";

const { exports: ENTRY_POINTS, imports: IMPORTS } = JSON.parse(
  fs.readFileSync(path.join(ROOT, "deno.json"), "utf8"),
) as Record<"exports" | "imports", Record<string, string>>;

interface Block {
  /** The page and the line, such as `docs/api.md:72`. */
  readonly place: string;
  readonly code: string;
}

function findBlocks(page: string): Block[] {
  const content = fs.readFileSync(path.join(ROOT, page), "utf8");
  return [...content.matchAll(/^```ts\n([^]*?)^```$/gm)].map((match) => ({
    place: `${page}:${content.slice(0, match.index).split("\n").length}`,
    code: match[1]!,
  }))
    // What starts another program is run by passed_on.test.ts.
    .filter(({ code }) => !code.includes(".passOn("));
}

const PAGES = [
  "README.md",
  ...fs.globSync("docs/*.md", { cwd: ROOT }).sort(),
];

/** Returns the program that runs a block, with its arguments. */
function commandOf(code: string): string[] {
  const isDeno = code.includes(`${NAME}/deno"`) || /\bDeno\./.test(code);
  if (isDeno) {
    const deno = TOOLS.find(({ runtime }) => runtime === "deno")!.path;
    return [deno, "run", "-A", `--config=${path.join(ROOT, "deno.json")}`];
  }
  return [toolOf(code.includes(`${NAME}/bun"`) ? "bun 1.4" : "node 24").path];
}

/** Writes a block into a project that has the library and what tests import. */
function writeProject(t: TestContext, code: string): string {
  const directory = temporaryDirectory(t);
  const modules = path.join(directory, "node_modules");
  const library = path.join(modules, NAME);
  fs.mkdirSync(library, { recursive: true });
  for (const [entry, source] of Object.entries(ENTRY_POINTS)) {
    // Node strips no types below node_modules: this leads out of there.
    fs.writeFileSync(
      path.join(library, `${entry === "." ? "index" : entry}.js`),
      `export * from "${path.join(ROOT, source)}";\n`,
    );
  }
  const exports = { ".": "./index.js", "./*": "./*.js" };
  fs.writeFileSync(
    path.join(library, "package.json"),
    JSON.stringify({ name: NAME, type: "module", exports }),
  );
  for (const name of Object.keys(IMPORTS)) {
    const target = path.join(ROOT, "node_modules", name);
    if (name.startsWith("@") || !fs.existsSync(target)) continue;
    fs.symlinkSync(target, path.join(modules, name));
  }
  fs.writeFileSync(path.join(directory, "package.json"), '{"type":"module"}');
  const program = path.join(directory, "program.ts");
  fs.writeFileSync(program, code);
  return program;
}

/** The names that a block asks for: sockets, at least `web`, and files. */
function namesIn(code: string): { sockets: string[]; files: string[] } {
  const files = ["config", "key", "log"]
    .filter((name) => code.includes(`"${name}"`));
  const isUdp = /\bdns\b/.test(code);
  const sockets = [
    ...files.length === 0 ? ["web=tcp:127.0.0.1:0"] : [],
    ...isUdp ? ["dns=udp:127.0.0.1:0"] : [],
  ];
  return { sockets, files };
}

/** Starts a block with descriptors for the names in it. */
async function startBlock(
  t: TestContext,
  code: string,
): Promise<{ program: Program; port: number | undefined }> {
  const script = writeProject(t, code);
  const { sockets, files } = namesIn(code);
  const opened = files.map((name): NamedDescriptor => {
    const file = path.join(path.dirname(script), name);
    return { name, fd: fs.openSync(file, "a+") };
  });
  try {
    return await bindSockets(sockets, (bound) => ({
      program: startActivated(
        t,
        [...commandOf(code), script],
        [...bound, ...opened],
      ),
      port: bound.find(({ name }) => name === "web")?.port,
    }));
  } finally {
    for (const { fd } of opened) fs.closeSync(fd);
  }
}

/** Asks a server, and returns the response, whose body may have no end yet. */
async function ask(port: number): Promise<http.IncomingMessage> {
  const request = http.get({
    host: "127.0.0.1",
    port,
    path: "/",
    agent: false,
  });
  const [response] = await once(request, "response");
  return response;
}

for (const { place, code } of PAGES.flatMap(findBlocks)) {
  const isServer = /\b(?:serve|listen|adopt)\(/.test(code);
  test(`the program at ${place} ${isServer ? "serves" : "runs"}`, async (t) => {
    const { program, port } = await startBlock(t, code);
    if (isServer) {
      const response = await program.whileRunning("an answer", ask(port!));
      assert.equal(response.statusCode, 200);
      const body = text(response);
      // The signal ends what has adopted a listener by itself.
      const status = code.includes("adopt(") ? null : 0;
      assert.equal(await program.terminate(), status, program.output);
      assert.match(await body, /^(?:hello|data: hello|$)/);
    } else {
      assert.equal(await program.exited, 0, program.output);
    }
    // A warning would be a fault of the program.
    assert.equal(program.stderr, "");
  });
}

test("the pages have programs", () => {
  assert.ok(PAGES.flatMap(findBlocks).length >= 18);
});
