import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Announcer,
  endingConnection,
} from "../../../src/runtime/http/request_tracker.ts";
import { drain, type Drainable } from "../../../src/shutdown/drain.ts";
import { Lifetime } from "../../../src/shutdown/server_lifetime.ts";
import { closeWebSockets } from "../../../src/shutdown/web_sockets.ts";

/** A server that does nothing but note what is done to it. */
class FakeServer implements Drainable {
  readonly isInherited = true;
  readonly done: string[] = [];
  begun = 0;
  /** How many connections there are; `undefined`: unknown. */
  count: number | undefined = 1;
  /** What happens with each look at the connections. */
  onLook: () => void = () => {};
  ended: Promise<void> = Promise.resolve();

  detach(): void {
    this.done.push("detach");
  }
  announce(): void {
    this.done.push("announce");
  }
  connections(): { count: number; hasInput: boolean } | undefined {
    this.onLook();
    return this.count === undefined
      ? undefined
      : { count: this.count, hasInput: false };
  }
  end(): Promise<void> {
    this.done.push("end");
    return this.ended;
  }
  cut(): void {
    this.done.push("cut");
  }
}

const STEPS = ["detach", "announce", "end", "cut"];

test("drain() goes on at once when there is no connection", async () => {
  const server = new FakeServer();
  server.count = 0;
  let looks = 0;
  server.onLook = () => looks++;
  await drain(server, 10_000, []);
  assert.deepEqual(server.done, STEPS);
  assert.equal(looks, 1);
});

test("drain() waits for silence, also where connections are unknown", async () => {
  for (const count of [1, undefined]) {
    const server = new FakeServer();
    server.count = count;
    let looks = 0;
    server.onLook = () => {
      // A request begins now and then, for a while.
      if (looks++ < 20 && looks % 5 === 0) server.begun++;
      assert.deepEqual(server.done, ["detach", "announce"]);
    };
    await drain(server, 10_000, []);
    assert.deepEqual(server.done, STEPS);
    assert.ok(looks > 40, `${looks} looks`);
  }
});

test("drain() ends although requests begin all the time", async () => {
  const server = new FakeServer();
  server.onLook = () => server.begun++;
  await drain(server, 10_000, []);
  assert.deepEqual(server.done, STEPS);
});

test("drain() cuts off what doesn't end within its limit", async () => {
  const server = new FakeServer();
  server.count = 0;
  server.ended = new Promise(() => {});
  await drain(server, 20, []);
  assert.deepEqual(server.done, STEPS);
  // Also before it has come to the end.
  const busy = new FakeServer();
  await drain(busy, 20, []);
  assert.deepEqual(busy.done, ["detach", "announce", "cut"]);
});

test("drain() takes any limit", async () => {
  for (const timeout of [0, 2 ** 40, Infinity]) {
    const server = new FakeServer();
    server.count = 0;
    await drain(server, timeout, []);
    assert.equal(server.done.at(-1), "cut");
  }
});

test("drain() tells WebSockets, and waits for them to close", async () => {
  const server = new FakeServer();
  server.count = 0;
  const codes: unknown[] = [];
  const socket = {
    readyState: 1,
    close(code?: number) {
      codes.push(code);
      setTimeout(() => this.readyState = 3, 50);
    },
  };
  await drain(server, 10_000, [socket]);
  assert.deepEqual(codes, [1001]);
  assert.equal(socket.readyState, 3);
});

const SETTINGS = { signals: [], timeout: 10_000 };

test("Lifetime fails with its server, and leaves the sockets alone then", async () => {
  const server = new FakeServer();
  const error = new Error("too many open files");
  const lifetime = new Lifetime(server, SETTINGS, {
    ended: Promise.reject(error),
  });
  await assert.rejects(lifetime.finished, error);
  await assert.rejects(lifetime.drain(), error);
  lifetime.close();
  // Their numbers may mean something else by now.
  assert.deepEqual(server.done, []);
});

test("Lifetime.drain() fails with what its server throws", async () => {
  const server = new FakeServer();
  const error = new Error("on purpose");
  server.announce = () => {
    throw error;
  };
  await assert.rejects(new Lifetime(server, SETTINGS).drain(), error);
});

test("Lifetime.drain() takes undefined for what was said at the start", async () => {
  const server = new FakeServer();
  server.count = 0;
  let answer = () => {};
  server.ended = new Promise((resolve) => answer = resolve);
  const drained = new Lifetime(server, SETTINGS).drain(
    { timeout: undefined } as never,
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(server.done, ["detach", "announce", "end"]);
  answer();
  await drained;
});

test("closeWebSockets() goes on after one that can't be closed", async () => {
  const closed: string[] = [];
  await closeWebSockets([
    {
      readyState: 3,
      close() {
        throw new Error("not open");
      },
    },
    { readyState: 3, close: () => void closed.push("second") },
  ]);
  assert.deepEqual(closed, ["second"]);
});

test("Announcer.pass() passes on what it gets until it announces", async () => {
  const announcer = new Announcer();
  const response = new Response("x");
  assert.equal(announcer.pass(response), response);
  assert.equal(response.headers.get("connection"), null);
  const late = announcer.pass(Promise.resolve(response));
  assert.equal(announcer.pending, 1);
  // A request that is answered after the announcement began before it.
  announcer.announce();
  assert.equal((await late).headers.get("connection"), "close");
  assert.equal(announcer.pending, 0);
  assert.equal(
    announcer.pass(new Response("y")) instanceof Response,
    true,
  );
  assert.equal(announcer.pass(undefined), undefined);
});

test("Announcer.pass() waits for thenables, too", async () => {
  const announcer = new Announcer();
  announcer.announce();
  const response = new Response("x");
  const thenable = { then: (use: (value: Response) => void) => use(response) };
  const answer = await announcer.pass<unknown>(thenable);
  assert.equal((answer as Response).headers.get("connection"), "close");
  assert.equal(announcer.pending, 0);
});

test("Announcer.watch() counts what is being sent", async () => {
  const announcer = new Announcer();
  const sent = Promise.withResolvers<void>();
  announcer.watch(sent.promise);
  announcer.watch(Promise.reject(new Error("the client is gone")));
  assert.equal(announcer.pending, 2);
  sent.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(announcer.pending, 0);
});

test("Announcer.pass() passes on errors", async () => {
  const announcer = new Announcer();
  const error = new Error("on purpose");
  await assert.rejects(
    async () => await announcer.pass(Promise.reject(error)),
    error,
  );
  assert.equal(announcer.pending, 0);
});

test("endingConnection() marks responses whose headers can't be changed", async () => {
  const redirect = Response.redirect("http://x/", 303);
  const marked = endingConnection(redirect);
  assert.equal(marked.status, 303);
  assert.equal(marked.headers.get("location"), "http://x/");
  assert.equal(marked.headers.get("connection"), "close");
  const plain = endingConnection(
    new Response("body", { status: 201, statusText: "Made" }),
  );
  assert.deepEqual(
    [plain.status, plain.statusText, await plain.text()],
    [201, "Made", "body"],
  );
  const error = Response.error();
  assert.equal(endingConnection(error), error);
});
