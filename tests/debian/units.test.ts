/**
 * Every socket unit that Debian's packages ship: `listenfds run --from-unit`
 * binds its sockets, and `listenfds inspect`, as the program, finds them in
 * order; or the unit is refused with the reason that is expected here.
 *
 * Runs in namespaces of its own, because units bind fixed paths and ports.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { before } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { requireVariable, ROOT, toolOf } from "../harness/hosts.ts";
import { startProgram } from "../harness/program.ts";
import { CLEANUP, test } from "../harness/timed_test.ts";

/** The packages, unpacked. */
const PACKAGES = requireVariable("LISTENFDS_DEBIAN_UNITS", "debian-units");
const SYSTEM = path.join(PACKAGES, "usr/lib/systemd/system");
const USER = path.join(PACKAGES, "usr/lib/systemd/user");
const RESULTS = path.join(ROOT, "bench/results/debian-units.md");

/** Starts fastest, and its C library creates sockets of every kind. */
const COMMAND = [
  toolOf("bun 1.4").path,
  path.join(ROOT, "src/cli/bin.ts"),
];

/** Units that can't be served here, and the reason that has to be given. */
const NETLINK =
  /ListenNetlink= is not supported: the command would lack a desc/;
const REFUSED: Readonly<Record<string, RegExp>> = {
  "ibacm.socket": NETLINK,
  "systemd-journald-audit.socket": NETLINK,
  "systemd-networkd.socket": NETLINK,
  "systemd-rfkill.socket": /ListenSpecial= is not supported: the command would/,
  "systemd-udevd-kernel.socket": NETLINK,
};

/** Directories that units create sockets in. */
const OWN_DIRECTORIES = [
  "/run",
  "/srv",
  "/var/cache",
  "/var/lib",
  "/var/spool",
];

/** A row of the table. */
interface Row {
  readonly unit: string;
  readonly result: string;
  readonly sockets: string;
  readonly notes: string;
}

const rows: Row[] = [];

before(() => {
  for (const directory of OWN_DIRECTORIES) {
    const args = ["-t", "tmpfs", "-o", "mode=755", "listenfds", directory];
    const { status, stderr } = spawnSync("mount", args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  }
  fs.mkdirSync("/run/user/0", { recursive: true });
}, CLEANUP);

for (
  const [scope, directory] of Object.entries({ system: SYSTEM, user: USER })
) {
  const names = fs.readdirSync(directory)
    .filter((name) => name.endsWith(".socket"))
    // Other names of the same unit.
    .filter((name) =>
      !fs.lstatSync(path.join(directory, name)).isSymbolicLink()
    )
    .sort();
  for (const name of names) {
    test(`${name} of the ${scope} is served, or refused rightly`, async (t) => {
      const program = startProgram(t, [
        ...COMMAND,
        ...["run", "--from-unit", name.replace("@.", "@1."), "--"],
        ...[...COMMAND, "inspect"],
      ], {
        cwd: "/",
        env: {
          SYSTEMD_UNIT_PATH: directory,
          XDG_RUNTIME_DIR: "/run/user/0",
          NO_COLOR: "1",
        },
      });
      // With Accept=yes, nothing starts before a client connects.
      const isWaiting = () =>
        /: waiting for connections on /.test(program.stderr);
      await Promise.race([
        program.exited,
        eventually("its sockets", isWaiting),
      ]);
      const isAccepting = isWaiting();
      const status = isAccepting
        ? await program.terminate()
        : await program.exited;
      rows.push(rowOf(`${scope}/${name}`, isAccepting, status, program.stderr));
      const reason = REFUSED[name];
      if (reason !== undefined) {
        assert.equal(status, 2, program.output);
        assert.match(program.stderr, reason);
      } else if (!isAccepting) {
        assert.equal(status, 0, program.output);
        assert.match(program.stdout, /^\d+ +\S+/m, "inspect shows descriptors");
      }
      if (reason === undefined) {
        assert.match(program.stderr, /^listenfds: "[^"]+" at \S+$/m);
      }
      assert.doesNotMatch(program.stderr, /unknown setting|^ +at /m);
    });
  }
}

function rowOf(
  unit: string,
  isAccepting: boolean,
  status: number | null,
  stderr: string,
): Row {
  const find = (pattern: RegExp) =>
    [...stderr.matchAll(pattern)].map(([, text]) =>
      text!.replaceAll("|", "\\|")
    );
  const isServed = isAccepting || status === 0;
  const ignored = find(/: (\w+=) is not supported, and has no effect$/gm);
  return {
    unit,
    result: isAccepting
      ? "waits for clients"
      : status === 0
      ? "served"
      : `status ${status}`,
    sockets: find(/^listenfds: "[^"]+" at (\S+)$/gm).join(", "),
    notes: isServed
      ? ignored.length > 0 ? `without ${[...new Set(ignored)].join(", ")}` : ""
      : stderr.trim().split("\n").at(-1)!.replaceAll("|", "\\|"),
  };
}

test("the table has all units", () => {
  const served = rows.filter(({ result }) => !/^status/.test(result)).length;
  const text = [
    "# Socket units of Debian 13 under `listenfds run --from-unit`",
    "",
    `${served} of ${rows.length} units are served. \`deno task test:debian-units\``,
    `wrote this on ${new Date().toISOString().slice(0, 10)}.`,
    "",
    "| Unit | Result | Sockets | Notes |",
    "| --- | --- | --- | --- |",
    ...rows.map(({ unit, result, sockets, notes }) =>
      `| ${unit} | ${result} | ${sockets} | ${notes} |`
    ),
    "",
  ].join("\n");
  fs.writeFileSync(RESULTS, text);
  console.log(`\n${text}`);
  assert.ok(rows.length >= 100, `${rows.length} units`);
});
