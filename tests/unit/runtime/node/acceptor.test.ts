import assert from "node:assert/strict";
import { test } from "node:test";
import { currentPlatform } from "../../../../src/runtime/current.ts";
import { openAcceptors } from "../../../../src/runtime/node/acceptor.ts";

test("openAcceptors() leaves the sockets after a failed one untouched", async () => {
  const failing = {
    kind: "fallback",
    address: { path: "/nonexistent/listenfds/first.sock" },
  } as const;
  let reads = 0;
  const untouched = {
    kind: "fallback",
    address: {
      get path() {
        reads++;
        return "/nonexistent/listenfds/second.sock";
      },
    },
  } as const;
  await assert.rejects(
    openAcceptors(
      currentPlatform(),
      failing,
      { allowHalfOpen: true },
      "Testing",
      [failing, untouched],
    ),
    /^ActivationError: Testing: binding .*first\.sock/,
  );
  assert.equal(reads, 0);
});
