import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { signalListenerCounter } from "../../../../src/runtime/deno/signals.ts";

/** Functions that do nothing, and the counter that observes them. */
function observed(status?: string) {
  const deno = {
    addSignalListener(_signal: string, _listener: () => void) {},
    removeSignalListener(_signal: string, _listener: () => void) {},
  };
  const count = signalListenerCounter(
    deno as unknown as Parameters<typeof signalListenerCounter>[0],
    () => status,
  );
  return { deno, count };
}

/** Makes a test run without the listeners of the test runner, which count, too. */
function withoutListeners(run: () => void | Promise<void>) {
  return async () => {
    const removed = (["SIGINT", "SIGTERM"] as const).flatMap((signal) =>
      process.listeners(signal).map((listener) => ({
        signal,
        listener: listener as () => void,
      }))
    );
    for (const { signal, listener } of removed) process.off(signal, listener);
    try {
      await run();
    } finally {
      for (const { signal, listener } of removed) process.on(signal, listener);
    }
  };
}

/** SIGTERM (15) is caught. */
const CAUGHT = "Name:\tdeno\nSigCgt:\t0000000000004000\n";

test(
  "signalListenerCounter() counts listeners from the first call on",
  withoutListeners(async () => {
    const { deno, count } = observed();
    const listener = () => {};
    deno.addSignalListener("SIGTERM", listener);
    assert.equal(count("SIGTERM"), 0);
    deno.addSignalListener("SIGTERM", listener);
    deno.addSignalListener("SIGTERM", listener);
    deno.addSignalListener("SIGINT", () => {});
    assert.equal(count("SIGTERM"), 1);
    deno.removeSignalListener("SIGTERM", listener);
    await Promise.resolve();
    assert.equal(count("SIGTERM"), 0);
  }),
);

test(
  "signalListenerCounter() counts a listener that is removed when it is called",
  withoutListeners(async () => {
    const { deno, count } = observed();
    const listener = () => {};
    assert.equal(count("SIGTERM"), 0);
    deno.addSignalListener("SIGTERM", listener);
    deno.removeSignalListener("SIGTERM", listener);
    assert.equal(count("SIGTERM"), 1);
    await Promise.resolve();
    assert.equal(count("SIGTERM"), 0);
  }),
);

test(
  "signalListenerCounter() sees an earlier listener in the mask of caught signals",
  withoutListeners(async () => {
    const { deno, count } = observed(CAUGHT);
    assert.equal(count("SIGTERM"), 1);
    assert.equal(count("SIGINT"), 0);
    deno.removeSignalListener("SIGTERM", () => {});
    await Promise.resolve();
    assert.equal(count("SIGTERM"), 0);
    assert.equal(observed("Name:\tdeno\n").count("SIGTERM"), 0);
  }),
);

test(
  "signalListenerCounter() takes no listener of Deno itself for one of the program",
  withoutListeners(() => {
    // Deno catches SIGHUP, SIGINT, SIGUSR1 and SIGTERM while it waits for a lock.
    const { count } = observed("Name:\tdeno\nSigCgt:\t0000000100004643\n");
    assert.equal(count("SIGTERM"), 0);
    // A program that catches SIGINT and SIGTERM.
    assert.equal(observed("SigCgt:\t0000000100004442\n").count("SIGTERM"), 1);
  }),
);
