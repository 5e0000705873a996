/** Files, FIFOs and devices by name, on each runtime. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { openListener } from "../../harness/descriptors.ts";
import { forEachHost, type Host, HOSTS, ROOT } from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { type Program, startActivated } from "../../harness/program.ts";
import { test } from "../../harness/timed_test.ts";

const SCRIPT = path.join(ROOT, "tests/fixtures/file_user.ts");

/** Starts operations with files, which are opened with flags and at an offset. */
function start(
  t: TestContext,
  host: Host,
  files: Readonly<Record<string, [path: string, flags: string | number]>>,
  ...operations: readonly (readonly unknown[])[]
): Program {
  const opened = Object.entries(files).map(([name, [file, flags]]) => ({
    name,
    fd: fs.openSync(file, flags),
  }));
  try {
    return startActivated(
      t,
      host.command(SCRIPT, JSON.stringify(operations)),
      opened,
      { NODE_NO_WARNINGS: undefined },
    );
  } finally {
    for (const { fd } of opened) fs.closeSync(fd);
  }
}

async function outcomes(program: Program): Promise<unknown[]> {
  assert.equal(await program.exited, 0, program.output);
  return program.stdout.trim().split("\n").map((line) => JSON.parse(line));
}

function temporaryFile(t: TestContext, text: string): string {
  const file = path.join(temporaryDirectory(t), "file");
  fs.writeFileSync(file, text);
  return file;
}

forEachHost(HOSTS.filter(({ inspects }) => inspects), (host) => {
  const { label } = host;

  test(`openFile() on ${label} reads a file that is read-only`, async (t) => {
    const file = temporaryFile(t, "secret");
    const values = await outcomes(start(
      t,
      host,
      { conf: [file, "r"] },
      // Files alone are no reason against a socket of its own.
      ["fallback"],
      ["open", "conf"],
      ["bytes", "conf"],
      ["readSome", "conf"],
      ["readSome", "conf"],
      ["bytes", "conf"],
      ["write", "conf", "x"],
      ["open", "conf"],
      ["close", "conf"],
      ["bytes", "conf"],
    ));
    assert.equal(values.shift(), 1);
    assert.deepEqual(values.slice(0, 5), [
      ["file", "read"],
      "secret",
      "secret",
      "the end",
      "secret",
    ]);
    const [denied, again, closed, afterwards] = values.slice(5) as {
      code: string;
      message: string;
    }[];
    assert.equal(denied!.code, "wrong-kind");
    assert.match(
      denied!.message,
      /^Writing the file "conf": .* is opened for reading only: remove/,
    );
    assert.equal(again!.code, "already-claimed");
    assert.equal(closed, null);
    assert.equal(afterwards!.code, "not-open");
    assert.equal(fs.readFileSync(file, "utf8"), "secret");
  });

  test(`openFile() on ${label} refuses to write what isn't bytes`, async (t) => {
    const file = temporaryFile(t, "");
    const kinds = ["text", "buffer", "words"];
    const values = await outcomes(start(
      t,
      host,
      Object.fromEntries(kinds.map((kind) => [kind, [file, "a"]])),
      ...kinds.flatMap((kind) => [["open", kind], ["writeOther", kind, kind]]),
    )) as { message: string }[];
    for (const [index, kind] of kinds.entries()) {
      assert.match(
        values[2 * index + 1]!.message,
        new RegExp(
          `^Writing the file "${kind}": expected a Uint8Array, found `,
        ),
      );
    }
    assert.equal(fs.readFileSync(file, "utf8"), "");
  });

  test(`openFile() on ${label} respects O_APPEND and offsets`, async (t) => {
    const log = temporaryFile(t, "old\n");
    const both = temporaryFile(t, "0123456789");
    const values = await outcomes(start(
      t,
      host,
      { log: [log, "a"], both: [both, "r+"], other: [both, "r+"] },
      ["open", "log"],
      ["write", "log", "new\n", 3],
      ["bytes", "log"],
      ["open", "both"],
      ["write", "both", "abc"],
      ["readSome", "both"],
      ["bytes", "both"],
      ["open", "other"],
      ["readAll", "other"],
    ));
    assert.deepEqual(values[0], ["file", "write"]);
    assert.equal((values[2] as { code: string }).code, "wrong-kind");
    assert.deepEqual(values.slice(3), [
      ["file", "read-write"],
      null,
      "3456789",
      "abc3456789",
      ["file", "read-write"],
      "abc3456789",
    ]);
    assert.equal(fs.readFileSync(log, "utf8"), "old\nnew\nnew\nnew\n");
  });

  for (
    const flags of [
      fs.constants.O_RDWR,
      fs.constants.O_RDWR | fs.constants.O_NONBLOCK,
    ]
  ) {
    const isBlocking = (flags & fs.constants.O_NONBLOCK) === 0;
    test(`openFile() on ${label} reads a FIFO that ${isBlocking ? "blocks" : "doesn't block"}`, async (t) => {
      const fifo = path.join(temporaryDirectory(t), "fifo");
      execFileSync("mkfifo", [fifo]);
      const program = start(
        t,
        host,
        { fifo: [fifo, flags] },
        ["open", "fifo"],
        ["readSome", "fifo"],
        ["write", "fifo", "mine"],
        ["readSome", "fifo"],
        ["close", "fifo"],
      );
      await program.until("the file", () => program.stdout.includes("fifo"));
      await program.staysFor(100);
      fs.writeFileSync(fifo, "from outside");
      assert.deepEqual(await outcomes(program), [
        ["fifo", "read-write"],
        "from outside",
        null,
        "mine",
        null,
      ]);
    });
  }

  test(`openFile() on ${label} takes devices, and large files`, async (t) => {
    const large = temporaryFile(t, "");
    const values = await outcomes(start(
      t,
      host,
      { null: ["/dev/null", "r+"], large: [large, "r+"] },
      ["open", "null"],
      ["readAll", "null"],
      ["writeMany", "null", 100_000, 1],
      ["open", "large"],
      ["writeMany", "large", 100_000, 3],
    ));
    assert.deepEqual(values, [
      ["character-device", "read-write"],
      "",
      null,
      ["file", "read-write"],
      null,
    ]);
    assert.equal(fs.readFileSync(large, "utf8"), "x".repeat(300_000));
  });

  test(`openFile() on ${label} refuses what is no file, and leaves it`, async (t) => {
    const { fd, close } = await openListener();
    const file = temporaryFile(t, "x");
    const opened = fs.openSync(file, "r");
    const directory = fs.openSync(path.dirname(file), "r");
    const program = startActivated(
      t,
      host.command(
        SCRIPT,
        JSON.stringify([
          ["open", "web"],
          ["open", "directory"],
          ["open", "missing"],
          ["open", "tcp:127.0.0.1:80"],
          ["unclaimed"],
          ["open", "both"],
          ["unclaimed"],
          ["open", "fd:4"],
        ]),
      ),
      [
        { name: "web", fd },
        { name: "directory", fd: directory },
        { name: "both", fd },
        { name: "both", fd: opened },
      ],
    );
    close();
    fs.closeSync(opened);
    fs.closeSync(directory);
    const values = await outcomes(program);
    const codes = values.map((value) => (value as { code?: string }).code);
    assert.deepEqual(codes.slice(0, 3), [
      "wrong-kind",
      "wrong-kind",
      "missing-name",
    ]);
    assert.match((values[3] as { message: string }).message, /expected a name/);
    assert.deepEqual(values.slice(4, 7), [
      ["web", "directory", "both", "both"],
      ["file", "read"],
      ["web", "directory", "both"],
    ]);
    assert.equal(codes[7], "wrong-kind");
  });
});

forEachHost(HOSTS.filter(({ inspects }) => !inspects), (host) => {
  test(`openFile() on ${host.label} says what to allow`, async (t) => {
    const file = temporaryFile(t, "x");
    const [error, unclaimed] = await outcomes(start(
      t,
      host,
      { conf: [file, "r"] },
      ["open", "conf"],
      ["unclaimed"],
    ));
    const { code, message } = error as { code: string; message: string };
    assert.equal(code, "permission");
    assert.match(message, /run with --allow-ffi/);
    assert.deepEqual(unclaimed, ["conf"]);
  });
});
