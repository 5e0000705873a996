import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs } from "../../../../src/cli/run/supervisor.ts";

test("backoffMs() doubles up to five seconds", () => {
  assert.deepEqual(
    [0, 1, 2, 3, 6, 7, 100].map(backoffMs),
    [0, 100, 200, 400, 3200, 5000, 5000],
  );
});
