import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import {
  type SignalFunctions,
  SignalListeners,
} from "../../../../src/runtime/deno/signals.ts";

/** Functions that do nothing, and the counter that observes them. */
function observed(status?: string) {
  const deno = {
    addSignalListener(_signal: string, _listener: () => void) {},
    removeSignalListener(_signal: string, _listener: () => void) {},
  };
  const listeners = new SignalListeners(
    deno as unknown as SignalFunctions,
    () => status,
    () => false,
  );
  return { deno, listeners, count: listeners.countSignalListeners };
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
  "SignalListeners counts listeners from the first call on",
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
  "SignalListeners counts a listener that is removed when it is called",
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
  "SignalListeners sees an earlier listener in the mask of caught signals",
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
  "SignalListeners takes no listener of Deno itself for one of the program",
  withoutListeners(() => {
    // Deno catches SIGHUP, SIGINT, SIGUSR1 and SIGTERM while it waits for a lock.
    const { count } = observed("Name:\tdeno\nSigCgt:\t0000000100004643\n");
    assert.equal(count("SIGTERM"), 0);
    // A program that catches SIGINT and SIGTERM.
    assert.equal(observed("SigCgt:\t0000000100004442\n").count("SIGTERM"), 1);
  }),
);

/** No signal is caught. */
const UNCAUGHT = "Name:\tdeno\nSigCgt:\t0000000000000000\n";

test(
  "SignalListeners shows its listeners in process when the program adds one",
  withoutListeners(() => {
    const { deno, listeners, count } = observed(UNCAUGHT);
    const [own, other] = [() => {}, () => {}];
    assert.equal(count("SIGTERM"), 0);
    listeners.addSignalListener("SIGTERM", own);
    assert.deepEqual(process.listeners("SIGTERM"), []);
    assert.equal(count("SIGTERM"), 1);
    deno.addSignalListener("SIGTERM", other);
    assert.deepEqual(process.listeners("SIGTERM"), [own]);
    assert.equal(count("SIGTERM"), 2);
    listeners.removeSignalListener("SIGTERM", own);
    assert.deepEqual(process.listeners("SIGTERM"), []);
  }),
);

test(
  "SignalListeners shows its listeners where process had some before",
  withoutListeners(() => {
    const { listeners, count } = observed(CAUGHT);
    const [own, earlier] = [() => {}, () => {}];
    process.on("SIGTERM", earlier);
    try {
      const before = count("SIGTERM");
      listeners.addSignalListener("SIGTERM", own);
      assert.deepEqual(process.listeners("SIGTERM"), [own, earlier]);
      assert.ok(count("SIGTERM") > before);
      listeners.removeSignalListener("SIGTERM", own);
    } finally {
      process.off("SIGTERM", earlier);
    }
  }),
);
