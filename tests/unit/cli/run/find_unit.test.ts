import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { findUnit } from "../../../../src/cli/run/find_unit.ts";
import { UsageError } from "../../../../src/cli/shared/verb.ts";

/** Directories of systemd, the first one overriding the second. */
const DIRECTORIES = ["etc", "usr"];

/** Calls a function with files; a value such as `-> target` is a link. */
function withFiles(
  files: Readonly<Record<string, string>>,
  use: (directory: string) => void,
): void {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "listenfds-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(directory, name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      if (text.startsWith("-> ")) fs.symlinkSync(text.slice(3), file);
      else fs.writeFileSync(file, text);
    }
    use(directory);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

/** Finds a unit, from an empty directory; paths are relative. */
function find(directory: string, argument: string): Record<string, unknown> {
  const { name, fragment, dropIns } = findUnit(argument, `${directory}/cwd`, {
    SYSTEMD_UNIT_PATH: DIRECTORIES.map((each) => `${directory}/${each}`)
      .join(":"),
  });
  const relative = (file: string) => path.relative(directory, file);
  return { name, fragment: relative(fragment), dropIns: dropIns.map(relative) };
}

function refuses(directory: string, argument: string, expected: RegExp): void {
  assert.throws(() => find(directory, argument), (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.message, expected);
    return true;
  });
}

test("findUnit() searches a name in systemd's directories", () => {
  withFiles({
    "usr/a.socket": "x",
    "usr/b.socket": "x",
    "etc/b.socket": "x",
    "usr/c.socket": "x",
    "cwd/c.socket": "x",
  }, (directory) => {
    const dropIns: string[] = [];
    for (
      const [name, fragment] of [
        ["a.socket", "usr/a.socket"],
        ["b.socket", "etc/b.socket"],
        // The working directory comes first.
        ["c.socket", "cwd/c.socket"],
      ] as const
    ) {
      assert.deepEqual(find(directory, name), { name, fragment, dropIns });
    }
    refuses(directory, "d.socket", /"d\.socket": there is no such file, and n/);
    refuses(
      directory,
      "./a.socket",
      /"\.\/a\.socket": there is no such file: /,
    );
  });
});

test("findUnit() reads systemd's own directories by default", () => {
  assert.throws(
    () => findUnit("no-such-unit.socket", "/", { HOME: "/root" }),
    /no such unit in systemd's directories \(\/etc\/systemd\/system, …\): give/,
  );
});

test("findUnit() finds drop-ins in systemd's order", () => {
  withFiles({
    "usr/foo-bar.socket": "x",
    "usr/foo-bar.socket.d/20.conf": "usr",
    "usr/foo-bar.socket.d/30.conf": "usr",
    "usr/foo-bar.socket.d/README": "no drop-in",
    "etc/foo-bar.socket.d/30.conf": "etc",
    "etc/foo-.socket.d/10.conf": "prefix",
    "usr/socket.d/05.conf": "type",
    "usr/socket.d/20.conf": "hidden by the unit's",
    "etc/bar.socket.d/40.conf": "of another unit",
  }, (directory) => {
    assert.deepEqual(find(directory, "foo-bar.socket")["dropIns"], [
      "usr/socket.d/05.conf",
      "etc/foo-.socket.d/10.conf",
      "usr/foo-bar.socket.d/20.conf",
      "etc/foo-bar.socket.d/30.conf",
    ]);
  });
});

test("findUnit() finds the template of an instance", () => {
  withFiles({
    "usr/web@.socket": "x",
    "usr/web@.socket.d/10.conf": "x",
    "etc/web@a-b.socket.d/20.conf": "x",
    "usr/web@own.socket": "x",
    "cwd/app@.socket": "x",
    "cwd/app@.socket.d/10.conf": "x",
  }, (directory) => {
    assert.deepEqual(find(directory, "web@a-b.socket"), {
      name: "web@a-b.socket",
      fragment: "usr/web@.socket",
      dropIns: ["usr/web@.socket.d/10.conf", "etc/web@a-b.socket.d/20.conf"],
    });
    assert.deepEqual(
      find(directory, "web@own.socket")["fragment"],
      "usr/web@own.socket",
    );
    for (const argument of ["app@1.socket", `${directory}/cwd/app@1.socket`]) {
      assert.deepEqual(find(directory, argument), {
        name: "app@1.socket",
        fragment: "cwd/app@.socket",
        dropIns: ["cwd/app@.socket.d/10.conf"],
      });
    }
    refuses(
      directory,
      "web@.socket",
      /"web@\.socket": a template needs the .*: give "web@instance\.socket"$/,
    );
    refuses(directory, "a/web@.socket", /give "a\/web@instance\.socket"$/);
  });
});

test("findUnit() follows links that give a unit another name", () => {
  withFiles({
    "usr/real.socket": "x",
    "etc/alias.socket": "-> ../usr/real.socket",
    "etc/second.socket": "-> alias.socket",
    "usr/real.socket.d/10.conf": "x",
    "etc/alias.socket.d/20.conf": "x",
    "elsewhere/linked.socket": "x",
    "etc/linked.socket": "-> ../elsewhere/linked.socket",
    "etc/loop.socket": "-> pool.socket",
    "etc/pool.socket": "-> loop.socket",
    "etc/gone.socket": "-> nowhere.socket",
  }, (directory) => {
    assert.deepEqual(find(directory, "second.socket"), {
      name: "real.socket",
      fragment: "usr/real.socket",
      dropIns: ["usr/real.socket.d/10.conf", "etc/alias.socket.d/20.conf"],
    });
    assert.deepEqual(
      find(directory, "linked.socket")["name"],
      "linked.socket",
    );
    refuses(directory, "loop.socket", /"loop\.socket": there is no such file/);
    refuses(directory, "gone.socket", /"gone\.socket": there is no such file/);
  });
});

test("findUnit() refuses a masked unit", () => {
  withFiles({
    "etc/a.socket": "-> /dev/null",
    "usr/a.socket": "x",
    "etc/b.socket": "",
    "cwd/c.socket": "-> /dev/null",
  }, (directory) => {
    for (const name of ["a.socket", "b.socket", "c.socket"]) {
      refuses(
        directory,
        name,
        new RegExp(`"${name}": it is masked, ".*${name}"`),
      );
    }
  });
});

test("findUnit() refuses names that no socket unit has", () => {
  withFiles({}, (directory) => {
    for (const argument of ["web", ".socket", "web.service", "", "a/"]) {
      refuses(directory, argument, /expected a file named NAME\.socket/);
    }
    for (const argument of ["a b.socket", "\x1b.socket", "é.socket"]) {
      refuses(directory, argument, /expected a name of at most 255 letters/);
    }
  });
});
