import assert from "node:assert/strict";
import { test } from "node:test";
import type { GracefulServer } from "../../../src/runtime/backend.ts";
import { currentPlatform } from "../../../src/runtime/current.ts";
import { drain } from "../../../src/shutdown/drain.ts";
import { ServerLifetime } from "../../../src/shutdown/server_lifetime.ts";
import { closeWebSockets } from "../../../src/shutdown/web_sockets.ts";

/** A server that does nothing but note what is done to it. */
class FakeServer implements GracefulServer {
  readonly isInherited = true;
  readonly done: string[] = [];
  readonly addresses = [];
  totalRequests = 0;
  /** How many connections there are; `undefined`: unknown. */
  count: number | undefined = 1;
  /** What happens with each look at the connections. */
  onLook: () => void = () => {};
  allClosed: Promise<void> = Promise.resolve();
  ended?: Promise<unknown>;

  pause(): void {
    this.done.push("pause");
  }
  closeConnectionsAfterResponses(): void {
    this.done.push("close after responses");
  }
  connections(): { count: number; hasInput: boolean } | undefined {
    this.onLook();
    return this.count === undefined
      ? undefined
      : { count: this.count, hasInput: false };
  }
  closeGracefully(): Promise<void> {
    this.done.push("close gracefully");
    return this.allClosed;
  }
  closeAllConnections(): void {
    this.done.push("close all");
  }
  ref(): void {}
  unref(): void {}
}

const STEPS = [
  "pause",
  "close after responses",
  "close gracefully",
  "close all",
];

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
      if (looks++ < 20 && looks % 5 === 0) server.totalRequests++;
      assert.deepEqual(server.done, STEPS.slice(0, 2));
    };
    await drain(server, 10_000, []);
    assert.deepEqual(server.done, STEPS);
    assert.ok(looks > 40, `${looks} looks`);
  }
});

test("drain() ends although requests begin all the time", async () => {
  const server = new FakeServer();
  server.onLook = () => server.totalRequests++;
  await drain(server, 10_000, []);
  assert.deepEqual(server.done, STEPS);
});

test("drain() cuts off what doesn't end within its limit", async () => {
  const server = new FakeServer();
  server.count = 0;
  server.allClosed = new Promise(() => {});
  // Long after the first look, on a machine under load, too.
  await drain(server, 1000, []);
  assert.deepEqual(server.done, STEPS);
  // Also before it has come to the end.
  const busy = new FakeServer();
  await drain(busy, 20, []);
  assert.deepEqual(busy.done, [...STEPS.slice(0, 2), "close all"]);
});

test("drain() closes all connections although a step fails", async () => {
  const server = new FakeServer();
  await assert.rejects(drain(server, 10_000, [undefined as never]), TypeError);
  assert.deepEqual(server.done, [
    "pause",
    "close after responses",
    "close all",
  ]);
});

test("drain() takes any limit", async () => {
  for (const timeout of [0, 2 ** 40, Infinity]) {
    const server = new FakeServer();
    server.count = 0;
    await drain(server, timeout, []);
    assert.equal(server.done.at(-1), "close all");
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

const SETTINGS = {
  isGraceful: true,
  signals: [],
  timeoutMs: 10_000,
  webSockets: [],
  hasOwnTimeout: false,
  exitWhenIdleMs: undefined,
  notifies: true,
};

function lifetimeOf(server: FakeServer): ServerLifetime {
  return new ServerLifetime(currentPlatform(), server, SETTINGS);
}

test("ServerLifetime fails with its server, and leaves the sockets alone then", async () => {
  const server = new FakeServer();
  const error = new Error("too many open files");
  server.ended = Promise.reject(error);
  const lifetime = lifetimeOf(server);
  await assert.rejects(lifetime.finished, error);
  await assert.rejects(lifetime.shutdown(), error);
  lifetime.close();
  // Their numbers may mean something else by now.
  assert.deepEqual(server.done, []);
});

test("ServerLifetime.shutdown() fails with what its server throws", async () => {
  const server = new FakeServer();
  const error = new Error("on purpose");
  server.closeConnectionsAfterResponses = () => {
    throw error;
  };
  await assert.rejects(lifetimeOf(server).shutdown(), error);
});

test("ServerLifetime.shutdown() takes what was said at the start", async () => {
  const server = new FakeServer();
  server.count = 0;
  let answer = () => {};
  server.allClosed = new Promise((resolve) => answer = resolve);
  const drained = lifetimeOf(server).shutdown({ webSockets: [] });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(server.done, STEPS.slice(0, 3));
  answer();
  await drained;
});

const SERVER_CLOSED = { isServerClosed: true, isOver: false };

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
  ], SERVER_CLOSED);
  assert.deepEqual(closed, ["second"]);
});

/** A WebSocket that is closed when the client answers. */
function fakeWebSocket(readyState = 1) {
  const codes: unknown[] = [];
  return { readyState, codes, close: (code?: number) => void codes.push(code) };
}

test("closeWebSockets() tells those that open meanwhile, once, when they are open", async () => {
  const progress = { isServerClosed: false, isOver: false };
  const [first, late] = [fakeWebSocket(), fakeWebSocket(0)];
  const open = new Set([first]);
  const closed = closeWebSockets(open, progress);
  assert.deepEqual(first.codes, [1001]);
  open.add(late);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(late.codes, []);
  late.readyState = 1;
  progress.isServerClosed = true;
  setTimeout(() => first.readyState = late.readyState = 3, 100);
  await closed;
  assert.deepEqual([first.codes, late.codes], [[1001], [1001]]);
});

test("closeWebSockets() waits for a slow client until the shutdown is over", async () => {
  const progress = { isServerClosed: true, isOver: false };
  let isDone = false;
  const closed = closeWebSockets([fakeWebSocket()], progress)
    .then(() => isDone = true);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(isDone, false);
  progress.isOver = true;
  await closed;
});
