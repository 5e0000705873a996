/** Reading and writing files of the service manager that is stopped. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { Agent, FILE_AGENT, startAgent } from "../../harness/agent.ts";
import { forEachHost, type Host, HOSTS, ROOT } from "../../harness/hosts.ts";
import { NO_PYTHON, temporaryDirectory } from "../../harness/machine_tools.ts";
import { spawnPiped } from "../../harness/program.ts";
import { test } from "../../harness/timed_test.ts";
import type { FileOperations } from "../../fixtures/operations.ts";

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = fs.constants;

const TERMINAL = path.join(ROOT, "tests/fixtures/terminal.py");

/** More than a FIFO takes without a reader. */
const LONG = 500_000;

/** One thread of Node's pool, so that calls wait for another one to end. */
const ENVIRONMENT = { NODE_NO_WARNINGS: undefined, UV_THREADPOOL_SIZE: "1" };

/** Starts an agent that has opened a file. */
async function openInAgent(
  t: TestContext,
  host: Host,
  fd: number,
): Promise<Agent<FileOperations>> {
  const descriptors = [{ name: "file", fd }];
  const agent = startAgent(t, host, descriptors, ENVIRONMENT, FILE_AGENT);
  await agent.call("open", "file");
  return agent;
}

function createFifo(t: TestContext): string {
  const fifo = path.join(temporaryDirectory(t), "fifo");
  execFileSync("mkfifo", [fifo]);
  return fifo;
}

function openUntilEnd(t: TestContext, file: string, flags: number): number {
  const fd = fs.openSync(file, flags);
  t.after(() => fs.closeSync(fd));
  return fd;
}

/** Starts an agent with a FIFO, and opens that here without waiting. */
async function startWithFifo(t: TestContext, host: Host) {
  const fifo = createFifo(t);
  const agent = await openInAgent(t, host, openUntilEnd(t, fifo, O_RDWR));
  return { agent, fifo, own: openUntilEnd(t, fifo, O_RDWR | O_NONBLOCK) };
}

/** Returns whether a program has a path open. */
function hasOpen({ pid }: Agent<FileOperations>, file: string): boolean {
  const directory = `/proc/${pid}/fd`;
  return fs.readdirSync(directory).some((fd) => {
    try {
      return fs.readlinkSync(path.join(directory, fd)) === file;
    } catch {
      // Closed since.
      return false;
    }
  });
}

/** Reads what is in a FIFO. */
function readNow(fd: number): string {
  const bytes = new Uint8Array(1024);
  return new TextDecoder().decode(bytes.subarray(0, fs.readSync(fd, bytes)));
}

forEachHost(HOSTS.filter(({ inspects }) => inspects), (host) => {
  const { label } = host;

  test(`cancel() on ${label} ends a pending read of a FIFO, and leaves what comes later`, async (t) => {
    const { agent, own } = await startWithFifo(t, host);
    fs.writeSync(own, "first");
    assert.equal(await agent.call("read"), "first");
    const pending = agent.call("read");
    await agent.call("begun");
    await agent.call("cancel");
    assert.equal(await pending, null);
    fs.writeSync(own, "later");
    assert.equal(await agent.endInput(), 0, agent.output);
    assert.equal(readNow(own), "later");
  });

  test(`close() on ${label} ends a pending read of a FIFO`, async (t) => {
    const { agent, fifo, own } = await startWithFifo(t, host);
    const pending = agent.call("read");
    await agent.call("begun");
    assert.ok(hasOpen(agent, fifo));
    await agent.call("close");
    assert.equal(await pending, null);
    assert.ok(!hasOpen(agent, fifo));
    fs.writeSync(own, "later");
    assert.equal(await agent.endInput(), 0, agent.output);
    assert.equal(readNow(own), "later");
  });

  test(`close() on ${label} rejects pending bytes() of a FIFO`, async (t) => {
    const { agent } = await startWithFifo(t, host);
    const pending = agent.fail("bytes");
    await agent.call("begun");
    await agent.call("close");
    const { code, message } = await pending;
    assert.equal(code, "not-open");
    assert.match(message, /^Reading the file "file": the file is closed: /);
    assert.equal(await agent.endInput(), 0, agent.output);
  });

  test(`process.exit() on ${label} ends it during a pending read of a FIFO`, async (t) => {
    const { agent } = await startWithFifo(t, host);
    agent.call("read").catch(() => {});
    await agent.call("begun");
    agent.call("exit").catch(() => {});
    assert.equal(await agent.exited, 0, agent.output);
  });

  test(`abort() on ${label} ends a write to a FIFO without a reader`, async (t) => {
    const { agent } = await startWithFifo(t, host);
    const pending = agent.fail("write", LONG);
    await agent.call("begun");
    await agent.call("abort");
    assert.equal((await pending).message, "stopped");
    assert.equal(await agent.endInput(), 0, agent.output);
  });

  test(`close() on ${label} ends a write to a FIFO without a reader`, async (t) => {
    const { agent } = await startWithFifo(t, host);
    const pending = agent.fail("write", LONG);
    await agent.call("begun");
    await agent.call("close");
    assert.equal((await pending).code, "not-open");
    assert.equal(await agent.endInput(), 0, agent.output);
  });

  test(`abort() on ${label} ends a write to a FIFO that can't be opened again`, async (t) => {
    const fifo = createFifo(t);
    const reader = fs.openSync(fifo, O_RDONLY | O_NONBLOCK);
    const writer = openUntilEnd(t, fifo, O_WRONLY);
    fs.chmodSync(fifo, 0);
    // Without a reader, opening it without waiting fails also for root.
    fs.closeSync(reader);
    const agent = await openInAgent(t, host, writer);
    fs.chmodSync(fifo, 0o600);
    const own = openUntilEnd(t, fifo, O_RDONLY | O_NONBLOCK);
    await agent.call("write", 5);
    assert.equal(readNow(own), "\0".repeat(5));
    const pending = agent.fail("write", LONG);
    await agent.call("begun");
    await agent.call("abort");
    assert.equal((await pending).message, "stopped");
    await agent.call("close");
    assert.ok(!hasOpen(agent, fifo));
    assert.equal(await agent.endInput(), 0, agent.output);
  });

  test(`cancel() on ${label} ends a pending read of a terminal`, {
    skip: NO_PYTHON,
  }, async (t) => {
    const command = ["python3", TERMINAL, ...host.command(FILE_AGENT)];
    const child = spawnPiped(command, { env: ENVIRONMENT });
    const agent = new Agent<FileOperations>(t, child);
    await agent.call("open", "file");
    assert.equal(await agent.call("read"), "typed\n");
    const pending = agent.call("read");
    await agent.call("begun");
    await agent.call("cancel");
    assert.equal(await pending, null);
    assert.equal(await agent.endInput(), 0, agent.output);
  });

  for (const way of ["bytes", "readable"] as const) {
    test(`close() on ${label} lets ${way} read no other file with the same number`, async (t) => {
      const directory = temporaryDirectory(t);
      const [mine, other] = ["mine", "other"].map((name) => {
        const file = path.join(directory, name);
        fs.writeFileSync(file, name.repeat(100_000));
        return file;
      }) as [string, string];
      const agent = await openInAgent(t, host, openUntilEnd(t, mine, O_RDONLY));
      if (way === "bytes") {
        const { code } = await agent.fail("readWhileReplaced", way, other);
        assert.equal(code, "not-open");
      } else {
        const text = await agent.call("readWhileReplaced", way, other);
        assert.doesNotMatch(text, /other/);
      }
      assert.equal(await agent.endInput(), 0, agent.output);
    });
  }
});
