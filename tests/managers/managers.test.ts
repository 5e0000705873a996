/**
 * Service managers other than systemd, with the real programs: each hands a
 * listening socket over as descriptor 0, without variables. Three lines of shell
 * make that what systemd does.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { exchange, request, tryConnect } from "../harness/client.ts";
import { eventually } from "../harness/eventually.ts";
import { forEachHost, type Host, hostsWith, ROOT } from "../harness/hosts.ts";
import { temporaryDirectory } from "../harness/machine_tools.ts";
import { startProgram } from "../harness/program.ts";
import { test } from "../harness/timed_test.ts";

const HANDOVER = path.join(import.meta.dirname!, "handover.sh");
const SERVICE = path.join(ROOT, "tests/systemd/programs/service.ts");
/** A port for each: what a killed manager has started goes on. */
let nextPort = 8080;

/** One way of each runtime. */
const RUNTIMES = hostsWith({ hasOwnServers: true }).filter(({ label }) =>
  !/^node 2[26]/.test(label)
);

/** A manager, started with a program that it hands a socket to. */
interface Manager {
  readonly name: string;
  /** Starts it; returns where the socket is. */
  readonly start: (
    t: TestContext,
    directory: string,
    command: readonly string[],
  ) => { port: number } | { socketPath: string };
}

let scripts = 0;

/** Writes a script that runs a command, because configurations have no quotes. */
function writeScript(directory: string, command: readonly string[]): string {
  const file = path.join(directory, `service-${scripts++}.sh`);
  const words = command.map((word) => `'${word}'`).join(" ");
  const out = path.join(directory, "out");
  fs.writeFileSync(file, `#!/bin/sh\nexec ${words} >>${out} 2>&1\n`, {
    mode: 0o755,
  });
  return file;
}

const MANAGERS: readonly Manager[] = [
  {
    name: "s6-ipcserver-socketbinder",
    start(t, directory, command) {
      const socketPath = path.join(directory, "web.sock");
      startProgram(t, ["s6-ipcserver-socketbinder", socketPath, ...command]);
      return { socketPath };
    },
  },
  {
    name: "s6-fdholder",
    start(t, directory, command) {
      const socketPath = path.join(directory, "web.sock");
      const holder = path.join(directory, "holder");
      const rights = path.join(directory, "rights/uid/0");
      fs.mkdirSync(`${rights}/env`, { recursive: true });
      fs.writeFileSync(`${rights}/allow`, "");
      for (const right of ["STORE_REGEX", "RETRIEVE_REGEX"]) {
        fs.writeFileSync(`${rights}/env/S6_FDHOLDER_${right}`, "^unix:web$");
      }
      startProgram(t, [
        ...["s6-fdholder-daemon", "-i", path.join(directory, "rights")],
        holder,
      ]);
      // The daemon holds the socket for as many processes as follow.
      const script = `
        until test -S ${holder}; do sleep 0.05; done
        s6-ipcserver-socketbinder ${socketPath} \
          s6-fdholder-store ${holder} unix:web &&
          exec s6-fdholder-retrieve ${holder} unix:web "$@"`;
      startProgram(t, ["sh", "-c", script, "sh", ...command]);
      return { socketPath };
    },
  },
  {
    name: "supervisord",
    start(t, directory, command) {
      const port = nextPort++;
      const file = path.join(directory, "supervisord.conf");
      fs.writeFileSync(
        file,
        `[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile=${directory}/pid
[fcgi-program:web]
socket=tcp://127.0.0.1:${port}
command=${writeScript(directory, command)}
`,
      );
      startProgram(t, ["supervisord", "--configuration", file]);
      return { port };
    },
  },
  {
    name: "inetd with wait",
    start(t, directory, command) {
      const port = nextPort++;
      const file = path.join(directory, "inetd.conf");
      const script = writeScript(directory, command);
      fs.writeFileSync(
        file,
        `127.0.0.1:${port} stream tcp wait root ${script} service.sh\n`,
      );
      startProgram(t, ["inetd", "-i", file]);
      return { port };
    },
  },
];

/** Asks until the service answers. */
async function ask(target: object): Promise<Record<string, unknown>> {
  const reply = await eventually(
    "an answer",
    () => request({ agent: undefined, ...target }, {}).catch(() => undefined),
  );
  return JSON.parse(reply.body);
}

for (const { name, start } of MANAGERS) {
  forEachHost(RUNTIMES, (host: Host) => {
    test(`${host.label} serves the socket of ${name}`, async (t) => {
      const directory = temporaryDirectory(t);
      const service = host.command(
        SERVICE,
        `${host.runtime === "node" ? "http" : "native"}=web`,
      );
      const target = start(t, directory, ["sh", HANDOVER, ...service]);
      const { names, runtime } = await ask(target);
      assert.deepEqual([names, runtime], [["web"], host.runtime]);
    });
  });

  test(`${name} sets no variables, and hands descriptor 0 over`, async (t) => {
    const directory = temporaryDirectory(t);
    const result = path.join(directory, "result");
    const script = `env | grep -c ^LISTEN_ > ${result}.new
      ls -l /proc/self/fd >> ${result}.new
      mv ${result}.new ${result}; exec sleep 60`;
    const target = start(t, directory, [
      "sh",
      writeScript(directory, [
        "sh",
        "-c",
        script.replaceAll("\n", ";"),
      ]),
    ]);
    const connect = "port" in target
      ? `exec 5<>/dev/tcp/127.0.0.1/${target.port}`
      : "true";
    await eventually("the descriptors", () => {
      spawnSync("bash", ["-c", connect], { stdio: "ignore" });
      return fs.existsSync(result);
    });
    const text = fs.readFileSync(result, "utf8");
    assert.match(text, /^0\n/);
    assert.match(text, / 0 -> socket:/);
    assert.doesNotMatch(text, / 3 -> socket:/);
  });
}

forEachHost(RUNTIMES, (host: Host) => {
  test(`${host.label} takes a connection of inetd with nowait`, async (t) => {
    const port = nextPort++;
    const directory = temporaryDirectory(t);
    const script = writeScript(directory, [
      ...["sh", HANDOVER],
      ...host.command(SERVICE, "connection=web"),
    ]);
    const file = path.join(directory, "inetd.conf");
    fs.writeFileSync(
      file,
      `127.0.0.1:${port} stream tcp nowait root ${script} service.sh\n`,
    );
    startProgram(t, ["inetd", "-i", file]);
    await eventually("inetd", async () => {
      const socket = await tryConnect({ port });
      socket?.destroy();
      return socket !== undefined;
    });
    assert.equal(await exchange({ port }, "hello"), "hello");
  });
});

test("runsv of runit hands nothing over, and listenfds run binds", async (t) => {
  const directory = temporaryDirectory(t);
  const [host] = RUNTIMES as [Host];
  const port = nextPort++;
  const service = path.join(directory, "web");
  fs.mkdirSync(service);
  const words = [
    ...host.command(path.join(ROOT, "src/cli/bin.ts")),
    ...["run", `--socket=web=127.0.0.1:${port}`, "--"],
    ...host.command(SERVICE, "serve=web"),
  ];
  fs.renameSync(
    writeScript(directory, words),
    path.join(service, "run"),
  );
  startProgram(t, ["runsv", service]);
  const { names } = await ask({ port });
  assert.deepEqual(names, ["web"]);
});
