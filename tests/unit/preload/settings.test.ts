import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { readListenArguments } from "../../../src/preload/listen_arguments.ts";
import { readSettings } from "../../../src/preload/settings.ts";

const read = (env: Record<string, string>) => readSettings((name) => env[name]);

test("readSettings() has defaults", () => {
  const { entries, bindsUnmatched, isVerbose, end } = read({});
  deepStrictEqual(entries, []);
  strictEqual(bindsUnmatched, false);
  strictEqual(isVerbose, false);
  strictEqual(end.timeoutMs, 10_000);
  strictEqual(end.exitWhenIdleMs, undefined);
});

test("readSettings() reads times as systemd does", () => {
  const times: Readonly<Record<string, number>> = {
    "30": 30_000,
    "30s": 30_000,
    " 5min ": 300_000,
    "1min 30s": 90_000,
    "500ms": 500,
    "0": 0,
  };
  for (const [text, expected] of Object.entries(times)) {
    const { end } = read({
      LISTENFDS_SHUTDOWN_TIMEOUT: text,
      LISTENFDS_IDLE_TIMEOUT: text,
    });
    strictEqual(end.timeoutMs, expected);
    strictEqual(end.exitWhenIdleMs, expected);
  }
  strictEqual(
    read({ LISTENFDS_IDLE_TIMEOUT: "off" }).end.exitWhenIdleMs,
    undefined,
  );
  throws(() => read({ LISTENFDS_SHUTDOWN_TIMEOUT: "off" }), {
    name: "SyntaxError",
    message:
      `Reading LISTENFDS_SHUTDOWN_TIMEOUT: expected a time such as 30, ` +
      `30s or 5min, found "off"`,
  });
  for (const text of ["soon", "-1", "1 fortnight", "1:30"]) {
    throws(() => read({ LISTENFDS_IDLE_TIMEOUT: text }), {
      name: "SyntaxError",
      message: `Reading LISTENFDS_IDLE_TIMEOUT: expected a time such as 30, ` +
        `30s or 5min, found "${text}"`,
    });
  }
});

test("readSettings() names the variable and the flag where reading is denied", () => {
  throws(
    () =>
      readSettings(() => {
        throw new Error("denied");
      }),
    {
      code: "permission",
      message:
        /^Reading LISTENFDS_\w+: missing permission: run with --allow-env=LISTENFDS_MAP,LISTENFDS_UNMATCHED,/,
    },
  );
});

test("readSettings() takes nothing but the choices", () => {
  strictEqual(read({ LISTENFDS_UNMATCHED: "bind" }).bindsUnmatched, true);
  strictEqual(read({ LISTENFDS_UNMATCHED: "" }).bindsUnmatched, false);
  strictEqual(read({ LISTENFDS_DEBUG: "1" }).isVerbose, true);
  throws(() => read({ LISTENFDS_DEBUG: "true" }), {
    message: 'Reading LISTENFDS_DEBUG: expected "0" or "1", found "true"',
  });
});

test("readListenArguments() reads all forms", () => {
  const call = () => {};
  const asked = (...args: unknown[]) => readListenArguments(args)?.asked;
  deepStrictEqual(asked(3000), { port: 3000 });
  deepStrictEqual(asked("3000", call), { port: 3000 });
  deepStrictEqual(asked(3000, "::1", 511, call), {
    port: 3000,
    hostname: "::1",
  });
  deepStrictEqual(asked(3000, 511), { port: 3000 });
  deepStrictEqual(asked("/run/x"), { path: "/run/x" });
  deepStrictEqual(asked("\0x"), { path: "@x" });
  deepStrictEqual(asked({ path: "/run/x" }), { path: "/run/x" });
  deepStrictEqual(asked({ port: "80", host: "localhost" }), {
    port: 80,
    hostname: "localhost",
  });
  deepStrictEqual(asked({ port: 80, path: "/run/x" }), { port: 80 });
  strictEqual(readListenArguments([3000, call])?.callback, call);
  const { signal } = new AbortController();
  deepStrictEqual(readListenArguments([{ port: 1, signal }])?.options, {
    signal,
  });
  // Nothing fixed, or nothing that Node takes.
  for (
    const args of [
      [],
      [call],
      [null],
      [undefined, call],
      [0],
      ["0"],
      [{ port: 0 }],
      [{ fd: 3 }],
      [{ _handle: {} }],
      [{}],
      [{ port: 70_000 }],
      [-1],
      [1.5],
      [""],
      [{ path: "" }],
      [true],
    ]
  ) strictEqual(readListenArguments(args), undefined, JSON.stringify(args));
});
