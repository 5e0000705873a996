/** The arguments of the functions that store descriptors. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "../../mod.ts";
import {
  notify,
  notifyBarrier,
  onReload,
  removeStored,
  storeDescriptor,
} from "../../src/notify.ts";
import { assertError } from "./helpers.ts";

async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}

test("storeDescriptor() and removeStored() reject names that systemd refuses", async () => {
  for (const name of ["", "a:b", "a\nREADY=1", "ä", "x".repeat(256)]) {
    const stored = await rejectionOf(storeDescriptor(name, 0));
    assertError(stored, RangeError, "name of 1 to 255");
    assertError(await rejectionOf(removeStored(name)), RangeError);
  }
  for (const name of [undefined, 5, null] as unknown as string[]) {
    assertError(await rejectionOf(storeDescriptor(name, 0)), RangeError);
  }
});

test("notify() and storeDescriptor() reject options that are no boolean", async () => {
  for (const value of ["yes", 1, null] as unknown as boolean[]) {
    assertError(
      await rejectionOf(notify({ ready: true }, { removeEnvironment: value })),
      TypeError,
      "expected the option removeEnvironment to be a boolean",
    );
    assertError(
      await rejectionOf(storeDescriptor("x", 0, { poll: value })),
      TypeError,
      "expected the option poll to be a boolean",
    );
  }
});

test("storeDescriptor() rejects what has no descriptor", async () => {
  for (const fd of [-1, 1.5, NaN, 2 ** 31]) {
    assertError(await rejectionOf(storeDescriptor("x", fd)), RangeError);
  }
  for (const target of ["3", null, undefined, {}, []] as unknown as object[]) {
    const error = await rejectionOf(storeDescriptor("x", target));
    assertError(error, TypeError, "expected a descriptor");
  }
});

test("nothing is stored where no service manager wants to be notified", async () => {
  assert.equal(await storeDescriptor("x", 0), false);
  assert.equal(await removeStored("x"), false);
  assert.equal(await notify({ ready: true }), false);
  assert.equal(await notifyBarrier(), false);
});

test("serve() rejects a fallback whose option store is no boolean", async () => {
  const fallback = { port: 0, store: "yes" } as never;
  const error = await rejectionOf(
    serve("web", { fallback }, () => new Response()),
  );
  assertError(error, TypeError, "fallback.store");
});

test("notifyBarrier() rejects times out of range", async () => {
  for (const time of [-1, NaN, Infinity, 2 ** 31]) {
    assertError(await rejectionOf(notifyBarrier(time)), RangeError);
  }
  assertError(await rejectionOf(notifyBarrier("1" as never)), TypeError);
});

test("onReload() rejects what is no function, and can be undone", () => {
  assert.throws(() => onReload({} as never), TypeError);
  onReload(() => {})();
});
