import assert from "node:assert/strict";
import { test } from "node:test";
import { repeatCheck } from "../../../src/runtime/repeat.ts";

test("repeatCheck() checks more often after it found something, and ends", async () => {
  const times: number[] = [];
  const results = [true, true, true, false, undefined, true];
  await new Promise<void>((resolve) => {
    // The checks alone don't keep the process.
    const keep = setInterval(() => {}, 1000);
    repeatCheck(() => {
      times.push(performance.now());
      const result = results[times.length - 1];
      if (result === undefined) {
        clearInterval(keep);
        setTimeout(resolve, 500);
      }
      return result;
    });
  });
  assert.equal(times.length, 5);
  const total = times[3]! - times[0]!;
  // Three short intervals, however slow the machine is at one of them.
  assert.ok(total < 3 * 250, `${total} ms`);
});
