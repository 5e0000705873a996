/** `listenfds run` in directories that others can write to. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { forEachHost, hostsWith, LIBC_HOST } from "../../harness/hosts.ts";
import { NO_PYTHON, temporaryDirectory } from "../../harness/machine_tools.ts";
import {
  assertRefuses,
  leaveSocket,
  NEVER_STARTED,
} from "../../harness/refusal.ts";
import { python, startRun } from "../../harness/run.ts";
import { test } from "../../harness/timed_test.ts";

const NOTE = ".x.sock.listenfds";
/** The user `nobody`. */
const OTHER_USER = 65534;
const NOT_ROOT = process.getuid?.() !== 0 && "root alone can change owners";

/** Creates what another program may put in the place of a note. */
const OBSTACLES: readonly {
  readonly noun: string;
  readonly needsRoot?: boolean;
  create(note: string, directory: string): void;
}[] = [
  {
    noun: "a symbolic link",
    create: (note) => fs.symlinkSync("precious", note),
  },
  {
    noun: "a symbolic link",
    create: (note, directory) =>
      fs.symlinkSync(path.join(directory, "nowhere"), note),
  },
  { noun: "a FIFO", create: (note) => execFileSync("mkfifo", [note]) },
  { noun: "a directory", create: (note) => fs.mkdirSync(note) },
  {
    noun: "a file",
    create: (note) => fs.writeFileSync(note, "x".repeat(100_000)),
  },
  {
    // Another user can have written it.
    noun: "a file",
    create(note) {
      fs.writeFileSync(note, "listenfds made this socket: 1 2 3\n");
      fs.chmodSync(note, 0o666);
    },
  },
  {
    noun: "a file of another user",
    needsRoot: true,
    create(note) {
      fs.writeFileSync(note, "listenfds made this socket: 1 2 3\n");
      fs.chownSync(note, OTHER_USER, OTHER_USER);
    },
  },
  {
    noun: "a device",
    needsRoot: true,
    create: (note) => execFileSync("mknod", [note, "c", "1", "7"]),
  },
];

/** Describes all that is in a directory, without opening anything. */
function contentsOf(directory: string): string[] {
  return fs.readdirSync(directory).map((name) => {
    const { ino, mode, uid, size, mtimeMs } = fs.lstatSync(
      path.join(directory, name),
    );
    return [name, ino, mode, uid, size, mtimeMs].join(" ");
  });
}

forEachHost(hostsWith({ runsCommand: true }), (host) => {
  test(`run refuses what is in a note's place, on ${host.label}`, async (t) => {
    for (const { noun, needsRoot, create } of OBSTACLES) {
      if (needsRoot && NOT_ROOT) continue;
      const cwd = temporaryDirectory(t);
      fs.writeFileSync(path.join(cwd, "precious"), "precious");
      create(path.join(cwd, NOTE), cwd);
      const before = contentsOf(cwd);
      await assertRefuses(
        startRun(
          t,
          host,
          ["--socket=b=unix:b.sock", "--socket=x=unix:x.sock"],
          NEVER_STARTED,
          { cwd },
        ),
        new RegExp(
          `^listenfds run: Binding "x" to "x.sock": there is ${noun} at ` +
            `"[^"]*${NOTE}", the path of a note about the socket: remove it`,
        ),
      );
      assert.deepEqual(contentsOf(cwd), before);
      assert.equal(
        fs.readFileSync(path.join(cwd, "precious"), "utf8"),
        "precious",
      );
    }
  });

  test(
    `run trusts neither sockets nor notes of other users, on ${host.label}`,
    { skip: NO_PYTHON || NOT_ROOT },
    async (t) => {
      const cwd = temporaryDirectory(t);
      fs.chmodSync(cwd, 0o1777);
      const file = path.join(cwd, "x.sock");
      const note = path.join(cwd, NOTE);
      await leaveSocket(t, file);
      const { dev, ino, mtimeMs } = fs.lstatSync(file);
      const text = `listenfds made this socket: ${dev} ${ino} ` +
        `${Math.floor(mtimeMs)}\n`;
      const run = () =>
        startRun(t, host, ["--socket=x=unix:x.sock"], python(), { cwd });
      // A true note, but anybody could have written it.
      const untrusted: (() => void)[] = [
        () => fs.chownSync(note, OTHER_USER, OTHER_USER),
        () => fs.chmodSync(note, 0o622),
        () => {
          fs.renameSync(note, path.join(cwd, "elsewhere"));
          fs.symlinkSync("elsewhere", note);
        },
        () => fs.chownSync(file, OTHER_USER, OTHER_USER),
      ];
      for (const change of untrusted) {
        fs.writeFileSync(note, text, { mode: 0o600 });
        change();
        const before = contentsOf(cwd);
        await assertRefuses(
          run(),
          /"x.sock": there is a socket that listenfds didn't create/,
        );
        assert.deepEqual(contentsOf(cwd), before);
        fs.rmSync(note);
      }
      // The same note of this user: the socket is replaced.
      fs.chownSync(file, 0, 0);
      fs.writeFileSync(note, text, { mode: 0o600 });
      const started = run();
      await started.generation(0);
      assert.equal(fs.lstatSync(note).mode & 0o777, 0o600);
      assert.equal(await started.terminate(), 0, started.stderr);
      assert.equal(fs.existsSync(file), false);
      assert.equal(fs.existsSync(note), false);
    },
  );

  test(
    `run removes nothing but its own paths at the end, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      fs.writeFileSync(path.join(cwd, "precious"), "precious");
      fs.writeFileSync(
        path.join(cwd, "link.socket"),
        `[Socket]\nListenStream=${cwd}/y.sock\nSymlinks=${cwd}/link\n`,
      );
      const run = startRun(
        t,
        host,
        ["--socket=x=unix:x.sock", "--from-unit=link.socket"],
        python(),
        { cwd },
      );
      await run.generation(0);
      for (const name of ["x.sock", NOTE, "link"]) {
        fs.rmSync(path.join(cwd, name));
        fs.symlinkSync("precious", path.join(cwd, name));
      }
      fs.rmSync(path.join(cwd, "y.sock"));
      await leaveSocket(t, path.join(cwd, "y.sock"));
      const expected = contentsOf(cwd)
        .filter((line) => !line.startsWith(".y.sock"));
      assert.equal(await run.terminate(), 0, run.stderr);
      assert.deepEqual(contentsOf(cwd), expected);
    },
  );

  test(`run reads regular files only, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    execFileSync("mkfifo", [path.join(cwd, "fifo.socket")]);
    fs.mkdirSync(path.join(cwd, "directory.socket"));
    fs.symlinkSync("/dev/zero", path.join(cwd, "device.socket"));
    fs.writeFileSync(path.join(cwd, "large.socket"), "");
    fs.truncateSync(path.join(cwd, "large.socket"), 2 ** 40);
    const before = contentsOf(cwd);
    for (
      const [name, problem] of [
        ["fifo", "it is a FIFO: give a regular file"],
        ["directory", "it is a directory: give a regular file"],
        ["device", "it is a device: give a regular file"],
        ["large", "expected at most 16777216 bytes: give a smaller file"],
      ] as const
    ) {
      const file = `${name}.socket`;
      const web = "--socket=web=127.0.0.1:0";
      await assertRefuses(
        startRun(t, host, [`--from-unit=${file}`], NEVER_STARTED, { cwd }),
        // A link to a device masks a unit, as with systemd.
        name === "device"
          ? /: Reading the unit "device.socket": it is masked/
          : new RegExp(`: Reading the unit "[^"]*${file}": ${problem}$`, "m"),
      );
      // Node takes the option for its own, unless "--" is before its script.
      if (host.runtime === "node") continue;
      await assertRefuses(
        startRun(t, host, [web, `--env-file=${file}`], NEVER_STARTED, { cwd }),
        new RegExp(
          `: Reading the variables in "[^"]*${file}": ${problem}$`,
          "m",
        ),
      );
    }
    assert.deepEqual(contentsOf(cwd), before);
  });

  test(
    `run --watch ignores special files, and quotes names, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      execFileSync("mkfifo", [path.join(cwd, "fifo.ts")]);
      fs.symlinkSync("loop.ts", path.join(cwd, "loop.ts"));
      fs.symlinkSync(".", path.join(cwd, "same"));
      fs.symlinkSync("/dev/zero", path.join(cwd, "zero.ts"));
      fs.mkdirSync(path.join(cwd, "closed"), { mode: 0 });
      // A glob must match a file.
      fs.writeFileSync(path.join(cwd, "app.ts"), "");
      const run = startRun(
        t,
        host,
        ["--socket=web=127.0.0.1:0", "--watch=**/*.ts"],
        python(),
        { cwd },
      );
      await run.generation(0);
      fs.writeFileSync(path.join(cwd, "a\x1b[31m\nlistenfds: b.ts"), "");
      await run.generation(1);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(run.stderr, /[\x00-\x09\x0b-\x1f]|^listenfds: b/m);
      assert.match(run.stderr, /"a\\u001b\[31m\\nlistenfds: b\.ts" changed/);
      assert.equal(await run.terminate(), 0, run.stderr);
    },
  );

  test(`run undoes all if a path fails late, on ${host.label}`, async (t) => {
    const cwd = temporaryDirectory(t);
    const unit = (lines: string) =>
      fs.writeFileSync(path.join(cwd, "x.socket"), `[Socket]\n${lines}\n`);
    const refused = async (expected: RegExp) => {
      const before = contentsOf(cwd);
      await assertRefuses(
        startRun(t, host, ["--from-unit=x.socket"], NEVER_STARTED, { cwd }),
        expected,
      );
      assert.deepEqual(contentsOf(cwd), before);
    };
    const socket = `ListenStream=${cwd}/new/directory/x.sock`;
    unit(`${socket}\nSymlinks=${cwd}/x.socket/below/link`);
    await refused(
      /creating the directory "[^"]*below" failed \(ENOTDIR\): use/,
    );
    unit(`${socket}\nSymlinks=${cwd}/new/a/b ${cwd}/new/a/b`);
    await refused(/creating the link "[^"]*b" failed \(EEXIST\): use/);
    unit(`${socket}\nSymlinks=${cwd}/x.socket`);
    await refused(/"[^"]*x.socket" exists and isn't a link to this path/);
    unit(`ListenStream=${cwd}/x.socket/below/x.sock`);
    await refused(/creating the directory "[^"]*" failed \(E[A-Z]+\): use/);
  });

  test(
    `run creates paths with their permissions, on ${host.label}`,
    { skip: NO_PYTHON },
    async (t) => {
      const cwd = temporaryDirectory(t);
      const modes = ["0600", "0666", "0777", "0060"];
      for (const mode of modes) {
        fs.writeFileSync(
          path.join(cwd, `${mode}.socket`),
          `[Socket]\nListenStream=${cwd}/${mode}\nSocketMode=${mode}\n`,
        );
      }
      for (const umask of [0o000, 0o077]) {
        const before = process.umask(umask);
        let run;
        try {
          run = startRun(
            t,
            host,
            [
              "--socket=web=127.0.0.1:0",
              "--socket=plain=unix:plain",
              ...modes.map((mode) => `--from-unit=${mode}.socket`),
            ],
            python(),
            { cwd },
          );
        } finally {
          process.umask(before);
        }
        const { pid } = await run.generation(0);
        const modeOf = (name: string) =>
          fs.lstatSync(path.join(cwd, name)).mode & 0o777;
        for (const mode of modes) assert.equal(modeOf(mode), parseInt(mode, 8));
        assert.equal(modeOf("plain"), 0o777 & ~umask);
        // The command gets the umask that was there.
        const status = fs.readFileSync(`/proc/${pid}/status`, "utf8");
        const octal = umask.toString(8).padStart(4, "0");
        assert.match(status, new RegExp(`^Umask:\t${octal}$`, "m"));
        assert.equal(await run.terminate(), 0, run.stderr);
      }
    },
  );
});

test("run uses FIFOs of its own user only", {
  skip: NO_PYTHON || NOT_ROOT,
}, async (t) => {
  const cwd = temporaryDirectory(t);
  const fifo = path.join(cwd, "fifo");
  fs.writeFileSync(
    path.join(cwd, "x.socket"),
    `[Socket]\nListenFIFO=${fifo}\nSocketMode=0600\n`,
  );
  execFileSync("mkfifo", ["-m", "0600", fifo]);
  const own = startRun(
    t,
    LIBC_HOST,
    ["--from-unit=x.socket"],
    ["sleep", "100"],
    {
      cwd,
    },
  );
  await own.until("the FIFO", () => own.stderr.includes("fifo"));
  await own.terminate();
  assert.ok(fs.existsSync(fifo), own.stderr);
  for (
    const change of [
      () => fs.chmodSync(fifo, 0o622),
      () => fs.chownSync(fifo, OTHER_USER, OTHER_USER),
    ]
  ) {
    change();
    const before = contentsOf(cwd);
    await assertRefuses(
      startRun(t, LIBC_HOST, ["--from-unit=x.socket"], NEVER_STARTED, { cwd }),
      /there is a FIFO of another user or with other permissions: remove it/,
    );
    assert.deepEqual(contentsOf(cwd), before);
    fs.chmodSync(fifo, 0o600);
  }
});
