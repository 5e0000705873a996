/** Units that the command wrote, in a real systemd. */

import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import type { TestContext } from "node:test";
import fc from "fast-check";
import { NO_MACHINE, useMachine } from "./machine/machine.ts";
import { installWritten, UNITS } from "./machine/written.ts";
import { eventually } from "../harness/eventually.ts";
import { forEachHost, TOOLS } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
const SERVICE = "/opt/listenfds/tests/systemd/programs/service.ts";
const UNMODIFIED = "/opt/listenfds/tests/systemd/programs/unmodified.ts";

/** Writes units, and starts their sockets. */
const install = (t: TestContext, ...args: readonly string[]) =>
  installWritten(t, machine(), args);

/** Asks a service for its report on itself. */
async function about(
  target: { port: number; host: string } | { path: string },
): Promise<{ runtime: string; names: string[]; pid: number }> {
  const { status, body } = await machine().request(target);
  assert.equal(status, 200);
  return JSON.parse(body);
}

/** A runtime as it is started, and the ways in which the service uses sockets. */
interface WrittenHost {
  readonly label: string;
  readonly runtime: string;
  readonly program: string;
  readonly flags: readonly string[];
  readonly http: string;
  readonly udp: string | undefined;
}

const WRITTEN_HOSTS: readonly WrittenHost[] = TOOLS.flatMap(
  ({ label, runtime }) => {
    const program = `/usr/local/bin/${label.replace(" ", "-")}`;
    const host = { label, runtime, program, flags: [], http: "serve" };
    const native = {
      ...host,
      label: `${label}, native`,
      flags: runtime === "deno" ? ["--native"] : [],
      http: "native",
      udp: runtime === "deno" ? "udp" : "bunUdp",
    };
    switch (runtime) {
      case "deno":
        return [{ ...host, udp: undefined }, native];
      case "bun":
        return [{ ...host, udp: "udp" }, native];
      case "node":
        return [{ ...host, udp: "udp" }];
    }
  },
);

forEachHost(WRITTEN_HOSTS, (host) => {
  const { label, runtime, program, flags, http, udp } = host;
  test(
    `units for TCP on ${label} start a service`,
    { skip: NO_MACHINE },
    async (t) => {
      await install(
        t,
        "written",
        ...["--socket=web=127.0.0.1:8080", "--socket=web=[::1]:8080"],
        ...[...flags, "--backlog=77", "--", program, SERVICE, `${http}=web`],
      );
      const four = await about({ port: 8080, host: "127.0.0.1" });
      assert.equal(four.runtime, runtime);
      assert.deepEqual(four.names, ["web"]);
      const six = await about({ port: 8080, host: "::1" });
      assert.equal(six.pid, four.pid);
      // The service runs as what the unit says, and nobody else does.
      const status = fs.readFileSync(
        machine().file(
          `/proc/${await machine().mainPid("written.service")}/status`,
        ),
        "utf8",
      );
      assert.match(status, /^Uid:\t(?!0\t)/m);
      assert.match(status, /^CapEff:\t0+$/m);
      assert.match(status, /^NoNewPrivs:\t1$/m);
      assert.match(status, /^Seccomp:\t2$/m);
    },
  );

  test(
    `units with --preload on ${label} start a program that knows nothing of the library`,
    {
      skip: NO_MACHINE,
    },
    async (t) => {
      // Deno needs the other flags for it.
      if (flags.length > 0) return;
      await install(
        t,
        "preloaded",
        ...["--socket=web=127.0.0.1:8080", "--preload=web=3000"],
        ...["--", program, UNMODIFIED, runtime === "node" ? "http" : runtime],
      );
      const { status, body } = await machine().request({
        port: 8080,
        host: "127.0.0.1",
      });
      assert.equal(status, 200);
      const pid = await machine().mainPid("preloaded.service");
      assert.match(body, new RegExp(`^${pid}:`));
    },
  );

  test(`units for a Unix socket on ${label} start a service`, {
    skip: NO_MACHINE,
  }, async (t) => {
    await install(
      t,
      "written",
      ...["--socket=web=unix:/run/written/%n $x.sock", "--socket-mode=0600"],
      ...[...flags, "--", program, SERVICE, `${http}=web`],
    );
    const path = "/run/written/%n $x.sock";
    assert.equal((await about({ path })).runtime, runtime);
    assert.equal(fs.statSync(machine().file(path)).mode & 0o777, 0o600);
  });

  test(`units for several names on ${label} start one service with all`, {
    skip: NO_MACHINE,
  }, async (t) => {
    const names = await install(
      t,
      "written",
      ...["--socket=web=127.0.0.1:8080", "--socket=admin=unix:/run/admin.sock"],
      ...["--socket=web=[::1]:8080", "--socket=a b%c=unix:@written", ...flags],
      ...[
        "--",
        program,
        SERVICE,
        `${http}=web`,
        `${http}=admin`,
        `${http}=a b%c`,
      ],
    );
    assert.deepEqual(names, [
      "written.service",
      "written-web.socket",
      "written-admin.socket",
      "written-a_b_c.socket",
    ]);
    // Whichever is connected to first.
    const first = await about({ path: "/run/admin.sock" });
    assert.deepEqual(first.names.sort(), ["a b%c", "admin", "web"]);
    const { pid } = await about({ port: 8080, host: "::1" });
    assert.equal(pid, first.pid);
    const service = "written.service";
    for (const property of ["Requires", "After", "TriggeredBy"]) {
      const found = await machine().property(service, property);
      for (const name of names.slice(1)) assert.ok(found.includes(name), name);
    }
    // A socket that was stopped is bound again with the service.
    await machine().systemctl("stop", service, ...names.slice(1));
    await machine().systemctl("start", "written-web.socket");
    const again = await about({ port: 8080, host: "127.0.0.1" });
    assert.deepEqual(again.names.sort(), ["a b%c", "admin", "web"]);
  });

  test(`units for UDP on ${label} start a service`, {
    skip: NO_MACHINE ||
      (udp === undefined && "Deno's own sockets alone take UDP"),
  }, async (t) => {
    await install(
      t,
      "written",
      ...["--socket=dns=udp:127.0.0.1:5353", ...flags],
      ...["--", program, SERVICE, `${udp}=dns`],
    );
    const socket = await machine().datagramSocket(t);
    socket.send("hello", 5353, "127.0.0.1");
    const [data] = await once(socket, "message");
    assert.equal(String(data), "hello");
  });
});

const NEUTRAL_HOSTS = WRITTEN_HOSTS.filter(({ http }) => http === "serve");

forEachHost(NEUTRAL_HOSTS, ({ label, program }) => {
  test(`units with --accept on ${label} start a process for each connection`, {
    skip: NO_MACHINE,
  }, async (t) => {
    const names = await install(
      t,
      "written",
      ...["--accept", "--socket=echo=127.0.0.1:7777"],
      ...["--socket=other=unix:/run/other.sock"],
      ...["--", program, SERVICE, "connection=connection"],
    );
    assert.deepEqual(names, [
      "written-echo@.service",
      "written-other@.service",
      "written-echo.socket",
      "written-other.socket",
    ]);
    const echoes = await Promise.all(
      [0, 1, 2].map((number) =>
        machine().exchange({ port: 7777, host: "127.0.0.1" }, `hello ${number}`)
      ),
    );
    assert.deepEqual(echoes, ["hello 0", "hello 1", "hello 2"]);
    assert.equal(
      await machine().exchange({ path: "/run/other.sock" }, "there"),
      "there",
    );
  });

  test(
    `units on ${label} run as another user, with variables and a directory`,
    {
      skip: NO_MACHINE,
    },
    async (t) => {
      const file = "/etc/writ?en *.env";
      fs.writeFileSync(machine().file(file), "WRITTEN=yes\n", { mode: 0o600 });
      await install(
        t,
        "written",
        ...[
          "--user=daemon",
          `--env-file=${file}`,
          "--socket=web=127.0.0.1:8080",
        ],
        ...["--working-directory=/opt/listenfds", '--description=100% "mine"'],
        ...["--", program, SERVICE, "serve=web"],
      );
      await about({ port: 8080, host: "127.0.0.1" });
      const pid = await machine().mainPid("written.service");
      const environment = fs.readFileSync(
        machine().file(`/proc/${pid}/environ`),
        "utf8",
      );
      assert.ok(environment.split("\0").includes("WRITTEN=yes"), environment);
      assert.equal(
        fs.readlinkSync(machine().file(`/proc/${pid}/cwd`)),
        "/opt/listenfds",
      );
      assert.equal(
        await machine().property("written.service", "Description"),
        '100% "mine"',
      );
      assert.equal(
        await machine().property("written.service", "User"),
        "daemon",
      );
    },
  );
});

/** Words that mean something to systemd, or to a shell, or are just odd. */
const WORDS: readonly string[] = [
  ..."% %% %n %h %% $ $$ $HOME ${HOME} a$b $@ ; \\; | & > < ' \" ` ! # ~ * ?"
    .split(" "),
  ...["", " ", "a b", " a", "a ", "\t", "a\tb", "\n", "a\nb", "\r", "\x01\x7f"],
  ...["\\", "\\\\", "\\n", "\\x41", "\\u0041", "a\\"],
  ...['"a"', "'a'", 'a"b', "a'b"],
  ...["é", "日本", "😀", "\u00ad\u202e", "\u0085", "\u2028"],
  ...["@x", "-x", "+x", ":x", "a=b", "A=$B", "--x='y z'", "$$$$x", "%%%x"],
  ...["{}", "()", "[a]", "\\$x", "\\%n"],
];

/** Installs a unit with words, starts it, and returns those that it was given. */
async function wordsRead(
  t: TestContext,
  words: readonly string[],
): Promise<string[]> {
  const directory = "/srv/od d%n$x;é";
  fs.mkdirSync(machine().file(directory), { recursive: true });
  // A program whose own path is odd, too.
  const program = `${directory}/words`;
  fs.writeFileSync(
    machine().file(program),
    '#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done > /run/words\n' +
      "mv /run/words /run/words.done\n",
    { mode: 0o755 },
  );
  t.after(() => {
    fs.rmSync(machine().file("/run/words.done"), { force: true });
    fs.rmSync(machine().file(directory), { recursive: true });
  });
  await install(
    t,
    "words",
    ...["--user=root", "--socket=web=127.0.0.1:8080"],
    ...["--", program, ...words],
  );
  // It writes what a hardened service can't.
  fs.mkdirSync(machine().file(`${UNITS}/words.service.d`));
  t.after(() =>
    fs.rmSync(machine().file(`${UNITS}/words.service.d`), { recursive: true })
  );
  fs.writeFileSync(
    machine().file(`${UNITS}/words.service.d/write.conf`),
    "[Service]\nReadWritePaths=/run\n",
  );
  await machine().systemctl("daemon-reload");
  await machine().systemctl("start", "words.service");
  const done = machine().file("/run/words.done");
  await eventually("the words", () => fs.existsSync(done));
  const found = fs.readFileSync(done, "utf8").split("\0");
  assert.equal(found.pop(), "");
  return found;
}

test("systemd reads the words of a command as they were written", {
  skip: NO_MACHINE,
}, async (t) => {
  assert.deepEqual(await wordsRead(t, WORDS), WORDS);
});

test("systemd reads words of random characters as they were written", {
  skip: NO_MACHINE,
}, async (t) => {
  const special = "%$\"'\\;:{}[]#= \t\n\r\x01\x7f\x85\u2028\u202e\ufeffnx0aé😀";
  const unit = fc.oneof(
    fc.constantFrom(...special),
    fc.integer({ min: 1, max: 0x10ffff }).map((code) =>
      String.fromCodePoint(code)
    ).filter((character) =>
      !/[\p{Surrogate}\p{Noncharacter_Code_Point}]/u.test(character)
    ),
  );
  const word = fc.string({ unit, maxLength: 40 });
  const words = fc.sample(word, 2000);
  assert.deepEqual(await wordsRead(t, words), words);
});
