import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestInfo } from "../../../src/runtime/http/serve_info.ts";
import { ServerContext } from "../../../src/runtime/server_context.ts";

/** Returns the number of controllers that an action creates. */
function countControllers(action: () => void): number {
  const Original = globalThis.AbortController;
  let count = 0;
  globalThis.AbortController = class extends Original {
    constructor() {
      super();
      count++;
    }
  };
  try {
    action();
  } finally {
    globalThis.AbortController = Original;
  }
  return count;
}

test("ServerContext creates no AbortController unless a request asks for its signal", () => {
  const count = countControllers(() => {
    const context = new ServerContext();
    for (let request = 0; request < 100; request++) {
      assert.equal(
        new RequestInfo(context, undefined).remoteAddress,
        undefined,
      );
    }
    context.beginShutdown();
  });
  assert.equal(count, 0);
});

test("ServerContext.shutdownSignal is one for all requests of a server", () => {
  const context = new ServerContext();
  const count = countControllers(() => {
    const [first, second] = [1, 2].map(() =>
      new RequestInfo(context, undefined).shutdownSignal
    );
    assert.equal(first, second);
    assert.equal(first, context.shutdownSignal);
  });
  assert.equal(count, 1);
  const { shutdownSignal } = context;
  assert.equal(shutdownSignal.aborted, false);
  let events = 0;
  shutdownSignal.addEventListener("abort", () => events++);
  context.beginShutdown();
  context.beginShutdown();
  assert.equal(shutdownSignal.aborted, true);
  assert.equal(events, 1);
});

test("ServerContext.shutdownSignal is aborted for who asks later", () => {
  const context = new ServerContext();
  context.beginShutdown();
  const { shutdownSignal } = new RequestInfo(context, undefined);
  assert.equal(shutdownSignal.aborted, true);
  assert.equal(shutdownSignal.reason.name, "AbortError");
  assert.equal(context.shutdownSignal, shutdownSignal);
});
