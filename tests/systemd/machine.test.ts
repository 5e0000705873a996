/** Nothing is left of a machine, however the tests that booted it end. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { Machine, NO_MACHINE } from "./machine/machine.ts";
import { eventually } from "../harness/eventually.ts";
import { type Program, startActivated } from "../harness/program.ts";
import { test } from "../harness/timed_test.ts";

const PROGRAM = path.join(import.meta.dirname!, "programs/boot_and_wait.ts");

const NAMESPACES = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];

/** The namespaces of a process; none once it has ended. */
function namespaces(pid: number | string): string[] {
  try {
    return NAMESPACES.map((kind) => fs.readlinkSync(`/proc/${pid}/ns/${kind}`));
  } catch {
    return [];
  }
}

/** Opens the namespaces of a process, and returns their descriptors. */
function openNamespaces(pid: number): number[] {
  return NAMESPACES.map((kind) => fs.openSync(`/proc/${pid}/ns/${kind}`, "r"));
}

/** The processes that are in one of the namespaces. */
function processesIn(wanted: readonly string[]): string[] {
  return fs.readdirSync("/proc").filter((name) =>
    namespaces(name).some((namespace) => wanted.includes(namespace))
  );
}

/** Returns whether the control group of a keeper exists. */
function hasGroup(keeper: number): boolean {
  const script = "mount -t cgroup2 cgroup2 /sys/fs/cgroup; ls /sys/fs/cgroup";
  const { stdout } = spawnSync("unshare", ["--mount", "sh", "-c", script], {
    encoding: "utf8",
  });
  assert.match(stdout, /^cgroup\.procs$/m);
  return stdout.split("\n").includes(`listenfds-${keeper}`);
}

/** Returns the mounts, the traces of services on disks, and systemd's limits. */
function surroundings(): unknown {
  const directories = [
    ...["/dev", "/dev/shm", "/etc", "/etc/systemd/system", "/opt", "/run"],
    ...["/run/systemd/system", "/tmp", "/usr/local/bin", "/var/cache"],
    ...["/var/cache/private", "/var/lib", "/var/lib/private", "/var/log"],
    ...["/var/tmp"],
  ].filter((directory) => fs.existsSync(directory));
  return {
    mounts: fs.readFileSync("/proc/self/mounts", "utf8"),
    // Others have temporary files there while this runs: only what is ours.
    traces: directories.flatMap((directory) =>
      fs.readdirSync(directory).filter((name) =>
        /^systemd-private|listenfds-trace/.test(name)
      )
    ),
    limits: ["nr_open", "file-max"].map((name) =>
      fs.readFileSync(`/proc/sys/fs/${name}`, "utf8")
    ),
  };
}

/** A program that has booted a machine, and the processes of that. */
interface Booted {
  readonly program: Program;
  readonly pid: number;
  readonly keeper: number;
}

/** Boots a machine, ends its program, and checks that nothing is left. */
async function leavesNothing(
  t: TestContext,
  end: (booted: Booted) => unknown,
): Promise<Booted> {
  const before = surroundings();
  const program = startActivated(t, [process.execPath, PROGRAM], []);
  const line = await program.until(
    "the machine",
    () => program.stdout,
    (stdout) => stdout.endsWith("\n"),
  );
  const { pid, keeper } = JSON.parse(line);
  const inside = namespaces(pid);
  const own = namespaces(process.pid);
  assert.equal(inside.length, own.length);
  assert.deepEqual(inside.filter((namespace) => own.includes(namespace)), []);
  // systemd, its journal, the service, and what makes sockets.
  assert.ok(processesIn(inside).length >= 4);
  assert.ok(hasGroup(keeper));
  // While a namespace is open, no other one gets its number.
  const opened = openNamespaces(pid);
  t.after(() => opened.forEach((fd) => fs.closeSync(fd)));
  await end({ program, pid, keeper });
  await eventually(
    "all processes to end",
    () => [...processesIn(inside), ...namespaces(keeper)],
    (left) => left.length === 0,
  );
  assert.deepEqual(surroundings(), before);
  return { program, pid, keeper };
}

/** Returns the reason against a machine that a program finds. */
function reasonOf(...command: string[]): string {
  const module = JSON.stringify(import.meta.resolve("./machine/machine.ts"));
  const code = `console.log((await import(${module})).NO_MACHINE)`;
  const [program, ...args] = [...command, process.execPath, "-e", code];
  return spawnSync(program!, args, { encoding: "utf8" }).stdout.trim();
}

test("the reason why no machine can be booted is reported", {
  skip: NO_MACHINE,
}, () => {
  assert.equal(reasonOf("env"), "false");
  // Root, but without what root may do: as in many containers.
  assert.match(
    reasonOf("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"),
    /^no namespaces for a systemd of its own: .*not permitted/,
  );
  assert.match(
    reasonOf("env", "PATH=/nowhere"),
    /^no namespaces for a systemd of its own: .*ENOENT/,
  );
  const capabilities = ["--reuid=65534", "--clear-groups", "--inh-caps=-all"];
  // Nothing, where that user may not even read the tests.
  assert.match(reasonOf("setpriv", ...capabilities), /^(needs root.*|)$/);
});

for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
  test(
    `nothing is left of a machine after ${signal}`,
    { skip: NO_MACHINE },
    async (t) => {
      const { program, keeper } = await leavesNothing(
        t,
        ({ program }) => program.process.kill(signal),
      );
      await program.exited;
      assert.equal(program.process.signalCode, signal);
      assert.ok(!hasGroup(keeper));
    },
  );
}

test("nothing is left of a machine when its program throws", {
  skip: NO_MACHINE,
}, async (t) => {
  const { program, keeper } = await leavesNothing(
    t,
    ({ program }) => program.process.stdin!.write("throw"),
  );
  assert.equal(await program.exited, 1);
  assert.match(program.stderr, /thrown on purpose/);
  assert.ok(!hasGroup(keeper));
});

/** Kills a process of a machine, and waits until all that it runs has ended. */
async function kill(victim: number, { program, pid }: Booted): Promise<void> {
  const [inside] = namespaces(pid).filter((namespace) =>
    namespace.startsWith("pid:")
  );
  process.kill(victim, "SIGKILL");
  await eventually(
    "the machine to end",
    () => processesIn([inside!]),
    (left) => left.length === 0,
  );
  // It has still a process that makes sockets in the machine's network.
  program.process.stdin!.write("exit");
}

test("nothing is left of a machine when its first process is killed", {
  skip: NO_MACHINE,
}, async (t) => {
  const { keeper } = await leavesNothing(
    t,
    (booted) => kill(booted.pid, booted),
  );
  assert.ok(!hasGroup(keeper));
});

test(
  "nothing is left of a machine whose keeper is killed, once another boots",
  { skip: NO_MACHINE },
  async (t) => {
    const { keeper } = await leavesNothing(
      t,
      (booted) => kill(booted.keeper, booted),
    );
    // The first that boots when the kernel has let go of all processes.
    await eventually("the control group to be removed", async () => {
      await (await Machine.boot()).stop();
      return !hasGroup(keeper);
    });
  },
);

test("nothing is left of a machine that is stopped, also of many at once", {
  skip: NO_MACHINE,
}, async (t) => {
  const before = surroundings();
  const machines = await Promise.all([1, 2, 3].map(() => Machine.boot()));
  const inside = machines.flatMap(({ pid }) => namespaces(pid));
  const opened = machines.flatMap(({ pid }) => openNamespaces(pid));
  t.after(() => opened.forEach((fd) => fs.closeSync(fd)));
  assert.equal(new Set(inside).size, inside.length);
  for (const machine of machines) {
    await machine.stop();
    assert.ok(!hasGroup(machine.keeperPid));
  }
  assert.deepEqual(processesIn(inside), []);
  assert.deepEqual(surroundings(), before);
});
