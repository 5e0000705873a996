/**
 * Many restarts under load, with kills and idle exits between them:
 *
 *     deno task test:restarts --restarts=1000 --minutes=5
 *
 * A run goes on where the one before it has ended, and `results.ts` keeps the
 * sums. Each runtime has the same number of pieces.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { requireVariable } from "../../harness/hosts.ts";
import { test } from "../../harness/timed_test.ts";
import { FAILURES } from "../load/http_client.ts";
import { NO_MACHINE, useMachine } from "../machine/machine.ts";
import { NATIVE_HOSTS } from "../machine/units.ts";
import { IDLE_EXITS, KILLS, measurePiece, RESTARTS } from "./piece.ts";
import { addPiece, formatResults, resultOf } from "./results.ts";

const machine = useMachine();
const TOTAL = Number(requireVariable("LISTENFDS_RESTARTS", "restarts"));
const MINUTES = Number(process.env["LISTENFDS_MINUTES"] ?? Infinity);
/** A piece takes half a minute, or several on a busy machine. */
const PIECE_TIMEOUT_MS = 600_000;
const DEADLINE = performance.now() + MINUTES * 60_000;

const PIECES = Math.ceil(TOTAL / RESTARTS);
for (let piece = 1; piece <= PIECES; piece++) {
  for (const host of NATIVE_HOSTS) {
    const result = resultOf(host);
    if (result !== undefined && result.restarts >= piece * RESTARTS) continue;
    const name = `${RESTARTS} restarts, ${KILLS} kills and ${IDLE_EXITS} ` +
      `idle exits of ${host.label} lose what a kill loses, ${piece}`;
    test(name, { skip: NO_MACHINE, timeout: PIECE_TIMEOUT_MS }, async (t) => {
      if (performance.now() > DEADLINE) return t.skip("a later run goes on");
      const measured = await measurePiece(t, machine(), host);
      addPiece(host, measured);
      const { restarts, kills, idleExits } = measured;
      for (const kind of FAILURES) {
        assert.equal(restarts.lost[kind], 0, `${kind}: ${restarts.messages}`);
        assert.equal(idleExits.lost[kind], 0, `${kind}: ${idleExits.messages}`);
      }
      // What was in progress; the socket is there all the time.
      assert.equal(kills.lost.refused, 0, kills.messages.join("\n"));
      assert.equal(kills.lost.wrong, 0, kills.messages.join("\n"));
      assert.equal(kills.lost.timeout, 0, kills.messages.join("\n"));
    });
  }
}

test(
  "the results of all restarts are in the file",
  { skip: NO_MACHINE },
  () => {
    console.log(`\n${formatResults()}\n`);
  },
);
