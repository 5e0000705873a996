/** Names, claims and the compatibility map, with real descriptors. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import type { CompatibilityMap } from "../../../src/core/mod.ts";
import { parseListenAddress } from "../../../src/core/listen_address.ts";
import { activateAgent, startAgent } from "../../harness/agent.ts";
import { exchange } from "../../harness/client.ts";
import { forEachHost, HOSTS } from "../../harness/hosts.ts";
import {
  NO_SYSTEMD_ACTIVATE,
  SYSTEMD_ACTIVATE,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import {
  assertListensOnly,
  bindSockets,
  socketInodes,
  untilListensOnly,
} from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

forEachHost(HOSTS, (host) => {
  test(`listen() on ${host.label} reports a name that is not there`, async (t) => {
    const { agent, sockets } = await activateAgent(t, host, [
      "web=tcp:127.0.0.1:0",
    ]);
    const error = await agent.fail("listen", "wbe", { fallback: { port: 0 } });
    assert.equal(error.code, "missing-name");
    assert.match(error.message, /no descriptor has this name; there are "web"/);
    assertListensOnly(agent, sockets);
    // What is there can be used all the same.
    await agent.call("listen", "web");
    const { port } = sockets[0]!;
    assert.equal(await exchange({ host: "127.0.0.1", port: port! }, "x"), "x");
  });

  test(`listen() on ${host.label} gives a name once`, async (t) => {
    const { agent } = await activateAgent(t, host, ["web=tcp:127.0.0.1:0"]);
    await agent.call("listen", "web");
    const error = await agent.fail("serve", "web");
    assert.equal(error.code, "already-claimed");
    assert.match(error.message, /descriptor 3 \("web"\) is already claimed/);
    const again = await agent.fail("claim", "web");
    assert.equal(again.code, "already-claimed");
    assert.deepEqual(await agent.call("tryClaim", "web"), []);
  });

  test(`complete() on ${host.label} fails until everything is claimed`, async (t) => {
    const { agent } = await activateAgent(t, host, [
      "web=tcp:127.0.0.1:0",
      "web=tcp:[::1]:0",
      "admin=tcp:127.0.0.1:0",
    ]);
    await agent.call("listen", "admin");
    const error = await agent.fail("complete");
    assert.equal(error.code, "unclaimed");
    assert.match(
      error.message,
      /nobody claimed descriptor 3 \("web"\).*; descriptor 4 \("web"\)/,
    );
    assert.deepEqual(await agent.call("claim", "web"), [3, 4]);
    await agent.call("complete");
  });

  test(`dispose on ${host.label} closes what nobody claimed`, async (t) => {
    const directory = temporaryDirectory(t);
    const { agent, sockets } = await activateAgent(t, host, [
      "web=tcp:127.0.0.1:0",
      `admin=unix:${path.join(directory, "admin.sock")}`,
      "echo=tcp:127.0.0.1:0",
    ]);
    await agent.call("listen", "echo");
    await agent.call("dispose");
    await untilListensOnly(agent, [sockets[2]!]);
    assert.deepEqual((await agent.call("activation"))?.unclaimed, []);
  });

  test(`dispose on ${host.label} leaves the runtime's own descriptors alone`, async (t) => {
    const names = Array.from({ length: 12 }, (_, index) => `n${index}`);
    const { agent, sockets } = await activateAgent(
      t,
      host,
      ["web=tcp:127.0.0.1:0"],
      { LISTEN_FDS: "12", LISTEN_FDNAMES: names.join(":") },
    );
    await agent.call("environment");
    const own = socketInodes(agent).filter((inode) =>
      inode !== sockets[0]!.inode
    );
    // Among them a pair of sockets, through which Deno learns of signals.
    await agent.call("dispose");
    await untilListensOnly(agent, []);
    // Deno opens more, when it begins to listen for signals.
    const left = socketInodes(agent);
    assert.deepEqual(own.filter((inode) => !left.includes(inode)), []);
    // It still runs, with its timers, its input and its network.
    assert.deepEqual(await agent.call("environment"), ["LISTEN_PID"]);
    assert.equal(sockets.length, 1);
  });

  test(`activation() on ${host.label} shows names as they are`, async (t) => {
    const names = ["x".repeat(300), "\x07\u202e", ""];
    const { agent } = await activateAgent(
      t,
      host,
      ["a=tcp:127.0.0.1:0", "b=tcp:127.0.0.1:0", "c=tcp:127.0.0.1:0"],
      { LISTEN_FDNAMES: names.join(":") },
    );
    assert.deepEqual((await agent.call("activation"))?.names, names);
    const error = await agent.fail("complete");
    assert.match(error.message, /… \(300 characters\)/);
    assert.match(error.message, /"\\u0007\\u202e"/);
  });

  test(`listen() on ${host.label} takes addresses as text`, async (t) => {
    const { agent, sockets } = await activateAgent(t, host, [
      "web=tcp:127.0.0.1:0",
      "echo=tcp:127.0.0.1:0",
    ]);
    await agent.call("listen", "systemd:web");
    await agent.call("listen", "fd:4");
    const again = await agent.fail("listen", "fd:4");
    assert.equal(again.code, "already-claimed");
    const absent = await agent.fail("listen", "fd:5");
    assert.equal(absent.code, "missing-name");
    assert.match(absent.message, /descriptor 5 was not passed, only 3 to 4/);
    const binding = await agent.fail("listen", "tcp:127.0.0.1:0");
    assert.equal(binding.code, "bind-while-activated");
    const invalid = await agent.fail("listen", "tcp:nowhere");
    assert.equal(invalid.name, "SyntaxError");
    assertListensOnly(agent, sockets);
  });

  test(`activation() on ${host.label} names descriptors by a map`, async (t) => {
    const directory = temporaryDirectory(t);
    const admin = path.join(directory, "admin.sock");
    const specs = ["a=tcp:127.0.0.1:0", `b=unix:${admin}`, "c=tcp:[::1]:0"];
    const run = (map: (ports: number[]) => CompatibilityMap) => {
      fs.rmSync(admin, { force: true });
      return bindSockets(specs, (sockets) => ({
        agent: startAgent(t, host, sockets, { LISTEN_FDNAMES: undefined }),
        map: map(sockets.map(({ port }) => port!)),
        sockets,
      }));
    };

    const right = await run(([a, , c]) => ({
      web: { port: a! },
      admin: { path: admin },
      six: { port: c! },
    }));
    if (!host.inspects) {
      const error = await right.agent.fail("activation", { map: right.map });
      assert.equal(error.code, "unmapped");
      assert.match(error.message, /can't be read here: .*--allow-ffi/);
      return;
    }
    const activated = await right.agent.call("activation", { map: right.map });
    assert.deepEqual(
      activated?.descriptors.map(({ name }) => name),
      ["web", "admin", "six"],
    );
    await right.agent.terminate();

    const unmatched = await run(([a]) => ({ web: { port: a! } }));
    const nothing = await unmatched.agent.fail("activation", {
      map: unmatched.map,
    });
    assert.equal(nothing.code, "unmapped");
    assert.match(
      nothing.message,
      /descriptor 4 .*: the stream-listener with the unix address ".*admin.sock" matches no entry/,
    );
    assertListensOnly(unmatched.agent, unmatched.sockets);
    await unmatched.agent.terminate();

    const double = await run(([a]) => ({
      web: { port: a! },
      www: { port: a! },
    }));
    const twice = await double.agent.fail("activation", { map: double.map });
    assert.equal(twice.code, "unmapped");
    assert.match(
      twice.message,
      /more than one entry of the map \("web", "www"\)/,
    );
    await double.agent.terminate();
  });

  test(`activation() on ${host.label} calls descriptors without names unknown`, async (t) => {
    const { agent } = await activateAgent(
      t,
      host,
      ["a=tcp:127.0.0.1:0", "b=tcp:127.0.0.1:0"],
      { LISTEN_FDNAMES: undefined },
    );
    assert.deepEqual((await agent.call("activation"))?.names, ["unknown"]);
    assert.deepEqual(await agent.call("claim", "unknown"), [3, 4]);
  });
});

test("parseListenAddress() takes the names that systemd takes", {
  skip: NO_SYSTEMD_ACTIVATE,
}, () => {
  const characters = Array.from(
    { length: 0x100 },
    (_, code) => String.fromCharCode(code),
    // A colon separates names, and an argument has no NUL.
  ).filter((character) => character !== ":" && character !== "\0");
  const names = [
    ...characters.map((character) => `x${character}`),
    "x".repeat(255),
    "x".repeat(256),
    "é".repeat(127),
    "\u{1f600}",
    "%n",
    "/x",
  ];
  for (const name of names) {
    // systemd reports an invalid name, and goes on to show its version.
    const { stderr, status } = spawnSync(SYSTEMD_ACTIVATE, [
      `--fdname=${name}`,
      "--version",
    ], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const parse = () => parseListenAddress(`systemd:${name}`);
    if (stderr === "") assert.deepEqual(parse(), { kind: "systemd", name });
    else {
      assert.match(stderr, /is not valid/);
      assert.throws(parse, SyntaxError);
    }
  }
});
