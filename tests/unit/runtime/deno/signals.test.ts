import assert from "node:assert/strict";
import process from "node:process";
import { after, before, test } from "node:test";
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

/** What the test runner itself listens to, which is counted, too. */
const RUNNER_LISTENERS = (["SIGINT", "SIGTERM"] as const).map((signal) => ({
  signal,
  listeners: process.listeners(signal) as (() => void)[],
}));

before(() => {
  for (const { signal, listeners } of RUNNER_LISTENERS) {
    for (const listener of listeners) process.off(signal, listener);
  }
});

after(() => {
  for (const { signal, listeners } of RUNNER_LISTENERS) {
    for (const listener of listeners) process.on(signal, listener);
  }
});

/** SIGTERM (15) is caught. */
const CAUGHT = "Name:\tdeno\nSigCgt:\t0000000000004000\n";

test("signalListenerCounter() counts listeners from the first call on", async () => {
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
});

test("signalListenerCounter() counts a listener that is removed when it is called", async () => {
  const { deno, count } = observed();
  const listener = () => {};
  assert.equal(count("SIGTERM"), 0);
  deno.addSignalListener("SIGTERM", listener);
  deno.removeSignalListener("SIGTERM", listener);
  assert.equal(count("SIGTERM"), 1);
  await Promise.resolve();
  assert.equal(count("SIGTERM"), 0);
});

test("signalListenerCounter() sees an earlier listener in the mask of caught signals", async () => {
  const { deno, count } = observed(CAUGHT);
  assert.equal(count("SIGTERM"), 1);
  assert.equal(count("SIGINT"), 0);
  deno.removeSignalListener("SIGTERM", () => {});
  await Promise.resolve();
  assert.equal(count("SIGTERM"), 0);
  assert.equal(observed("Name:\tdeno\n").count("SIGTERM"), 0);
});

test("signalListenerCounter() takes no listener of Deno itself for one of the program", () => {
  // Deno catches SIGHUP, SIGINT, SIGUSR1 and SIGTERM while it waits for a lock.
  const { count } = observed("Name:\tdeno\nSigCgt:\t0000000100004643\n");
  assert.equal(count("SIGTERM"), 0);
  // A program that catches SIGINT and SIGTERM.
  assert.equal(observed("SigCgt:\t0000000100004442\n").count("SIGTERM"), 1);
});
