import assert from "node:assert/strict";
import { test } from "node:test";
import { isAnyWaiting } from "../../../../src/cli/activator/proc_waiting.ts";

test("isAnyWaiting() finds what waits in the kernel's tables", () => {
  const inet = (received: string, inode: number) =>
    `   0: 0100007F:1F90 00000000:0000 0A 00000000:${received} 00:00000000 ` +
    `00000000     0        0 ${inode} 1 0000000000000000 100 0 0 10 0`;
  const unix = (state: string, inode: number, path: string) =>
    `0000000027cba152: 00000002 00000000 00000000 0001 ${state} ` +
    `${String(inode).padStart(5)} ${path}`;
  const waits = (tables: Record<string, string>) =>
    isAnyWaiting(
      [{ inode: "7", path: undefined }, { inode: "8", path: "/run/a b" }],
      (table) => `header\n${tables[table] ?? ""}\n`,
    );
  assert.equal(waits({}), false);
  for (const table of ["tcp", "tcp6", "udp", "udp6"]) {
    assert.equal(waits({ [table]: inet("00000001", 7) }), true, table);
    assert.equal(waits({ [table]: inet("00000000", 7) }), false, table);
    assert.equal(waits({ [table]: inet("00000001", 9) }), false, table);
  }
  assert.equal(waits({ unix: unix("02", 0, "/run/a b") }), true);
  assert.equal(waits({ unix: unix("01", 8, "/run/a b") }), false);
  assert.equal(waits({ unix: unix("02", 0, "/run/a") }), false);
});
