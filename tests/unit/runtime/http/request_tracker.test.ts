import assert from "node:assert/strict";
import { test } from "node:test";
import {
  closeConnectionAfter,
  RequestTracker,
} from "../../../../src/runtime/http/request_tracker.ts";

test("RequestTracker.track() returns its argument until connections are to close", async () => {
  const tracker = new RequestTracker();
  const response = new Response("x");
  assert.equal(tracker.track(response), response);
  assert.equal(response.headers.get("connection"), null);
  const late = tracker.track(Promise.resolve(response));
  assert.equal(tracker.pending, 1);
  // A request that was received before.
  tracker.closeConnectionsAfterResponses();
  assert.equal((await late).headers.get("connection"), "close");
  assert.equal(tracker.pending, 0);
  assert.equal(
    tracker.track(new Response("y")) instanceof Response,
    true,
  );
  assert.equal(tracker.track(undefined), undefined);
});

test("RequestTracker.track() awaits thenables, too", async () => {
  const tracker = new RequestTracker();
  tracker.closeConnectionsAfterResponses();
  const response = new Response("x");
  const thenable = { then: (use: (value: Response) => void) => use(response) };
  const answer = await tracker.track<unknown>(thenable);
  assert.equal((answer as Response).headers.get("connection"), "close");
  assert.equal(tracker.pending, 0);
});

test("RequestTracker.awaitSent() counts responses that are being sent", async () => {
  const tracker = new RequestTracker();
  const sent = Promise.withResolvers<void>();
  tracker.awaitSent(sent.promise);
  tracker.awaitSent(Promise.reject(new Error("the client is gone")));
  assert.equal(tracker.pending, 2);
  sent.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(tracker.pending, 0);
});

test("RequestTracker.track() returns rejections", async () => {
  const tracker = new RequestTracker();
  const error = new Error("on purpose");
  await assert.rejects(
    async () => await tracker.track(Promise.reject(error)),
    error,
  );
  assert.equal(tracker.pending, 0);
});

test("closeConnectionAfter() marks responses whose headers are immutable", async () => {
  const redirect = Response.redirect("http://x/", 303);
  const marked = closeConnectionAfter(redirect);
  assert.equal(marked.status, 303);
  assert.equal(marked.headers.get("location"), "http://x/");
  assert.equal(marked.headers.get("connection"), "close");
  const plain = closeConnectionAfter(
    new Response("body", { status: 201, statusText: "Made" }),
  );
  assert.deepEqual(
    [plain.status, plain.statusText, await plain.text()],
    [201, "Made", "body"],
  );
  const error = Response.error();
  assert.equal(closeConnectionAfter(error), error);
});
