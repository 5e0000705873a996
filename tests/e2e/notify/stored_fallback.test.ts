/** Fallbacks that are stored: what they replace, keep, and leave behind. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { forEachHost, HOSTS, ROOT } from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import { FakeManager, NO_MANAGER } from "../../harness/manager.ts";
import { runNotifier, WITH_FFI } from "../../harness/notifier.ts";
import { Program, spawnPiped } from "../../harness/program.ts";
import { test } from "../../harness/timed_test.ts";

const BOUND_PATHS = path.join(ROOT, "tests/fixtures/bound_paths.py");
const SKIP = { skip: NO_MANAGER };

const LOOPBACK = {
  fallback: { port: 0, hostname: "127.0.0.1", store: true },
} as const;

function atPath(file: string) {
  return { fallback: { path: file, store: true } };
}

/** Identifies what is in a directory. */
function listEntries(directory: string): string[] {
  return fs.readdirSync(directory).sort().map((name) => {
    const { ino, mode, mtimeMs } = fs.lstatSync(path.join(directory, name));
    return [name, ino, mode, mtimeMs].join(" ");
  });
}

forEachHost(WITH_FFI, (host) => {
  const { label } = host;

  test(
    `a stored fallback on ${label} replaces an abandoned socket alone`,
    SKIP,
    async (t) => {
      const manager = await FakeManager.start(t);
      const directory = temporaryDirectory(t);
      const at = (name: string) => path.join(directory, name);
      const holder = new Program(
        t,
        spawnPiped(["python3", BOUND_PATHS, directory]),
      );
      await holder.until("sockets", () => holder.stdout.includes("bound"));
      fs.writeFileSync(at("file"), "precious");
      fs.mkdirSync(at("directory"));
      fs.symlinkSync(at("abandoned"), at("link"));
      fs.symlinkSync(at("nothing"), at("dangling link"));
      execFileSync("mkfifo", [at("fifo")]);
      const before = listEntries(directory);
      const nouns: Readonly<Record<string, RegExp>> = {
        file: /there is a file, not a socket: set another path$/,
        directory: /there is a directory, not/,
        link: /there is a symbolic link, not/,
        "dangling link": /there is a symbolic link, not/,
        fifo: /there is a FIFO, not/,
        datagram: /end the process that listens there/,
        silent: /end the process that listens there/,
        full: /end the process that listens there/,
      };
      const outcomes = await runNotifier(
        t,
        host,
        { NOTIFY_SOCKET: manager.address },
        ...Object.keys(nouns).map((name) => ["open", "web", atPath(at(name))]),
      );
      for (const [index, [name, pattern]] of Object.entries(nouns).entries()) {
        const { code, errno, message } = outcomes[index]!.error!;
        assert.deepEqual([code, errno], ["system", 98], name);
        assert.match(message, /bind EADDRINUSE: /, name);
        assert.match(message, pattern, name);
      }
      assert.deepEqual(listEntries(directory), before);
      assert.deepEqual(manager.lines, []);
      const abandoned = at("abandoned");
      const [opened] = await runNotifier(
        t,
        host,
        { NOTIFY_SOCKET: manager.address },
        ["open", "web", atPath(abandoned)],
        ["exit"],
      );
      assert.deepEqual(opened!.value, { kind: "unix", path: abandoned });
      assert.ok(!before.includes(listEntries(directory)[0]!));
    },
  );

  test(
    `removeStored() on ${label} frees the address of a fallback`,
    SKIP,
    async (t) => {
      const manager = await FakeManager.start(t);
      const file = path.join(temporaryDirectory(t), "web.sock");
      const outcomes = await runNotifier(
        t,
        host,
        { NOTIFY_SOCKET: manager.address },
        // While its server runs, and after that.
        ["open", "web", LOOPBACK],
        ["remove", "web"],
        ["shutdown", "web"],
        ["listeners"],
        ["open", "web", LOOPBACK],
        ["shutdown", "web"],
        ["listeners"],
        ["remove", "web"],
        ["listeners"],
        // Two servers of one name; another name stays.
        ["open", "web", LOOPBACK],
        ["open", "web", LOOPBACK],
        ["open", "admin", LOOPBACK],
        ["shutdown", "admin"],
        ["shutdown", "web"],
        ["remove", "web"],
        ["shutdown", "web"],
        ["listeners"],
        // The path stays, and is replaced.
        ["open", "path", atPath(file)],
        ["remove", "path"],
        ["shutdown", "path"],
        ["exists", file],
        // The manager closes its duplicate when it reads the message.
        ["barrier"],
        ["open", "path", atPath(file)],
        ["exit"],
      );
      const failed = outcomes.find(({ error }) => error);
      assert.equal(failed, undefined, JSON.stringify(outcomes));
      const counts = [3, 6, 8, 16].map((index) => outcomes[index]!.value);
      assert.deepEqual(counts, [0, 1, 0, 1]);
      assert.equal(outcomes[20]!.value, true);
      assert.deepEqual(outcomes[22]!.value, { kind: "unix", path: file });
    },
  );

  test(
    `a stored fallback on ${label} is served again on the same socket`,
    SKIP,
    async (t) => {
      // The address stays bound as long as the manager has the socket.
      const manager = await FakeManager.start(t, "hold");
      const outcomes = await runNotifier(
        t,
        host,
        { NOTIFY_SOCKET: manager.address },
        ["open", "web", LOOPBACK],
        ["shutdown", "web"],
        ["open", "web", LOOPBACK],
        ["shutdown", "web"],
        // A failure leaves what an earlier server has stored.
        ["openBadly", "web", LOOPBACK],
        ["open", "web", LOOPBACK],
        ["exit"],
      );
      assert.match(outcomes[4]!.error!.message, /bad|PEM|certificate/);
      const address = outcomes[0]!.value;
      assert.equal(typeof (address as { port?: unknown }).port, "number");
      assert.deepEqual(outcomes[2]!.value, address);
      assert.deepEqual(outcomes[5]!.value, address);
      assert.ok(!manager.lines.includes("FDSTOREREMOVE=1"));
    },
  );

  test(
    `a stored fallback on ${label} that fails leaves nothing behind`,
    SKIP,
    async (t) => {
      const manager = await FakeManager.start(t);
      const file = path.join(temporaryDirectory(t), "web.sock");
      const outcomes = await runNotifier(
        t,
        host,
        { NOTIFY_SOCKET: manager.address },
        // Of the same name, and stored again after the failure.
        ["open", "web", LOOPBACK],
        ["openBadly", "web", atPath(file)],
        ["exists", file],
        ["socketsAt", file],
        ["failDuplicate"],
        ["open", "web", atPath(file)],
        ["exists", file],
        ["socketsAt", file],
        ["open", "web", atPath(file)],
        ["exists", file],
        ["exit"],
      );
      assert.ok(outcomes[1]!.error, JSON.stringify(outcomes));
      assert.deepEqual(outcomes.slice(2, 4), [{ value: false }, { value: 0 }]);
      assert.equal(outcomes[5]!.error?.errno, 24);
      assert.deepEqual(outcomes.slice(6, 8), [{ value: false }, { value: 0 }]);
      assert.deepEqual(outcomes[8]!.value, { kind: "unix", path: file });
      assert.equal(outcomes[9]!.value, true);
      const fds = manager.messages
        .map(({ lines, fds }) => [lines[0], fds.length]);
      assert.deepEqual(fds, [
        ["FDSTORE=1", 1],
        ["FDSTORE=1", 1],
        ["FDSTOREREMOVE=1", 0],
        ["FDSTORE=1", 1],
        ["FDSTORE=1", 1],
      ]);
    },
  );
});

forEachHost(
  HOSTS.filter(({ label }) => label === "node 22" || label === "node 24"),
  (host) => {
    test(
      `a stored fallback on ${host.label} touches nothing`,
      SKIP,
      async (t) => {
        const manager = await FakeManager.start(t);
        const file = path.join(temporaryDirectory(t), "file");
        fs.writeFileSync(file, "precious");
        const [outcome] = await runNotifier(
          t,
          host,
          { NOTIFY_SOCKET: manager.address },
          ["open", "web", atPath(file)],
        );
        assert.equal(outcome!.error!.code, "unsupported");
        assert.equal(fs.readFileSync(file, "utf8"), "precious");
      },
    );
  },
);
