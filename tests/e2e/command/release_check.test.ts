/** `deno task release:check` where JSR can't be reached, or has something else. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { ROOT, TOOLS } from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { test } from "../../harness/timed_test.ts";

const deno = TOOLS.find(({ runtime }) => runtime === "deno")!;

/** Runs `release:check` with a server in JSR's place, and an empty cache. */
async function releaseCheck(t: TestContext, jsr: string) {
  const flags = ["-A", "--quiet", "--no-lock", "--node-modules-dir=none"];
  const child = spawn(
    deno.path,
    ["run", ...flags, "scripts/release_check.ts"],
    {
      cwd: ROOT,
      env: {
        ...process.env,
        DENO_DIR: temporaryDirectory(t),
        JSR_URL: jsr,
        NO_COLOR: "1",
      },
      stdio: ["ignore", "inherit", "pipe"],
    },
  );
  const errors = text(child.stderr);
  const [status] = await once(child, "exit");
  return { status, errors: await errors };
}

/** Starts a server that answers each path in a way. */
async function startServer(
  t: TestContext,
  answer: (
    path: string,
  ) => { readonly status: number; readonly body?: unknown },
): Promise<string> {
  const server = http.createServer(({ url = "" }, response) => {
    const { status, body } = answer(url);
    response.writeHead(status).end(JSON.stringify(body ?? {}));
  });
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const NOTHING_CHECKED =
  /^release:check: Loading dnt from JSR: .* Nothing was checked: .*\n$/;

test("release:check exits with 3 if nothing listens in JSR's place", async (t) => {
  const { status, errors } = await releaseCheck(t, "http://127.0.0.1:9/");
  assert.match(errors, NOTHING_CHECKED);
  assert.equal(status, 3);
});

test("release:check exits with 3 if JSR's name is unknown", async (t) => {
  const { status, errors } = await releaseCheck(t, "http://jsr.invalid/");
  assert.match(errors, NOTHING_CHECKED);
  assert.equal(status, 3);
});

test("release:check exits with 3 if JSR or a proxy refuses to answer", async (t) => {
  for (const code of [403, 500, 503]) {
    const jsr = await startServer(t, () => ({ status: code }));
    const { status, errors } = await releaseCheck(t, jsr);
    assert.match(errors, NOTHING_CHECKED);
    assert.equal(status, 3);
  }
});

test("release:check exits with 1 if JSR has no such package", async (t) => {
  const jsr = await startServer(t, () => ({ status: 404 }));
  const { status, errors } = await releaseCheck(t, jsr);
  assert.match(errors, /^release:check: JSR package not found: @deno\/dnt/);
  assert.equal(status, 1);
});

test("release:check exits with 1 if JSR has no such version", async (t) => {
  const body = { scope: "deno", name: "dnt", versions: { "0.0.1": {} } };
  const jsr = await startServer(t, () => ({ status: 200, body }));
  const { status, errors } = await releaseCheck(t, jsr);
  assert.match(
    errors,
    /^release:check: Could not find version of '@deno\/dnt'/,
  );
  assert.equal(status, 1);
});

test("release:check exits with 1 if a package lacks a file", async (t) => {
  const config = fs.readFileSync(path.join(ROOT, "deno.json"), "utf8");
  const [, version] = /jsr:@deno\/dnt@([\d.]+)/.exec(config)!;
  const meta = { scope: "deno", name: "dnt", versions: { [version!]: {} } };
  const details = { manifest: {}, exports: { ".": "./mod.ts" } };
  const jsr = await startServer(t, (url) => {
    if (url.endsWith("/meta.json")) return { status: 200, body: meta };
    if (url.endsWith("_meta.json")) return { status: 200, body: details };
    return { status: 404 };
  });
  const { status, errors } = await releaseCheck(t, jsr);
  assert.match(errors, /^release:check: /);
  assert.doesNotMatch(errors, NOTHING_CHECKED);
  assert.equal(status, 1);
});
