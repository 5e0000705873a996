import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "../../../../src/cli/shared/disk.ts";
import { planUnits } from "../../../../src/cli/unit/options.ts";
import { unitFiles } from "../../../../src/cli/unit/files.ts";

/** A machine with the runtimes in `/usr/bin`, and every script in `/srv`. */
const disk: Disk = {
  status: (path) => ({
    isFile: !path.startsWith("/directory"),
    isDirectory: path.startsWith("/directory"),
    mode: 0o755,
  }),
  isExecutable: (path) => /^\/usr\/bin\/(?:deno|bun|node|app|nice)$/.test(path),
  realPath: (path) => path,
  start: () => "",
};

/** The lines of a service for a command that begin with some settings. */
function lines(...args: readonly string[]): string[] {
  const place = { disk, cwd: "/srv", searchPath: "/usr/bin" };
  const { plan } = planUnits(["app", "--socket=web=80", ...args], place);
  const [service] = unitFiles(plan).filter(({ name }) =>
    name === "app.service"
  );
  return service!.text.split("\n").filter((line) =>
    /^(?:ExecStart|Environment="?LISTENFDS)/.test(line)
  );
}

test("--preload loads the preload before the program of each runtime", () => {
  const [node] = lines(
    "--preload=web=3000",
    "--",
    "node",
    "--no-warnings",
    "a",
  );
  assert.match(
    node!,
    /^ExecStart=\/usr\/bin\/node --import=\/\S+\/preload\/mod\.ts --no-warnings \/srv\/a$/,
  );
  const [bun] = lines("--preload", "--", "bun", "a");
  assert.match(
    bun!,
    /^ExecStart=\/usr\/bin\/bun --preload=\/\S+\/preload\/mod\.ts --no-install \/srv\/a$/,
  );
  const [deno] = lines("--preload", "--", "deno", "run", "a");
  assert.match(
    deno!,
    /^ExecStart=\/usr\/bin\/deno run --preload=\/\S+\/preload\/mod\.ts --no-prompt --cached-only --allow-env=LISTEN_PID,\S+,LISTENFDS_MAP,LISTENFDS_UNMATCHED,LISTENFDS_SHUTDOWN_TIMEOUT,LISTENFDS_IDLE_TIMEOUT,LISTENFDS_DEBUG,NOTIFY_SOCKET,WATCHDOG_USEC,WATCHDOG_PID --allow-ffi --allow-net \/srv\/a$/,
  );
  const [prefixed] = lines("--preload", "--", "nice", "-n", "5", "node", "a");
  assert.match(prefixed ?? "", /nice -n 5 \/usr\/bin\/node --import=/);
});

test("--preload writes the map", () => {
  assert.equal(
    lines("--preload=web=3000", "--", "node", "a")[1],
    "Environment=LISTENFDS_MAP=web=3000",
  );
  assert.equal(
    lines("--preload=web=/x y", "--", "node", "a")[1],
    'Environment="LISTENFDS_MAP=web=/x y"',
  );
  assert.equal(
    lines(
      "--socket=admin=81",
      "--preload=web=3000",
      "admin=4000",
      "--",
      "node",
      "a",
    )[1],
    "Environment=LISTENFDS_MAP=web=3000,admin=4000",
  );
  assert.equal(lines("--preload", "--", "node", "a").length, 1);
});

test("--preload refuses what can't work", () => {
  const refused = (message: RegExp, ...args: string[]) =>
    assert.throws(() => lines(...args), { name: "UsageError", message });
  refused(/expected the name of a socket \("web"\), found "wbe"/, ...[
    "--preload=wbe=3000",
    "--",
    "node",
    "a",
  ]);
  refused(/--preload: Reading LISTENFDS_MAP: expected entries/, ...[
    "--preload=3000",
    "--",
    "node",
    "a",
  ]);
  refused(/--preload is for programs of Deno, Bun and Node/, ...[
    "--preload",
    "--",
    "app",
  ]);
});
