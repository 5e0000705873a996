import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestTracker } from "../../../../src/runtime/http/request_tracker.ts";
import { OptionsTracker } from "../../../../src/runtime/bun/options.ts";

/** Options of `Bun.serve`, as Bun is given them. */
interface Given {
  readonly fetch: () => Response;
  readonly error?: (error: unknown) => Response;
  readonly routes?: Readonly<Record<string, unknown>>;
  readonly static?: Readonly<Record<string, Response>>;
}

/** Options that a server was given, one after another, and then is drained. */
function drained(...given: object[]): Given | undefined {
  const tracker = new RequestTracker();
  const options = new OptionsTracker(tracker);
  for (const each of given) options.track(each).commit();
  tracker.closeConnectionsAfterResponses();
  return options.closingConnections() as Given | undefined;
}

function isLast(response: unknown): boolean {
  return (response as Response).headers.get("connection") === "close";
}

const fetch = () => new Response("fetched");
const error = () => new Response("custom", { status: 500 });

test("OptionsTracker has nothing to change where handlers answer all", () => {
  assert.equal(drained({ fetch, error, routes: { "/": fetch } }), undefined);
});

for (const name of ["routes", "static"] as const) {
  test(`OptionsTracker marks the constants among ${name} as the last`, async () => {
    const response = new Response("constant");
    const options = drained({ fetch, error, [name]: { "/a": response } })!;
    const marked = options[name]!["/a"] as Response;
    assert.ok(isLast(marked));
    assert.equal(await marked.text(), "constant");
    assert.ok(!isLast(response));
  });
}

test("OptionsTracker marks the page of an error that the program has none for", () => {
  const log = console.error;
  const told: unknown[] = [];
  console.error = (what) => told.push(what);
  try {
    const options = drained({ fetch })!;
    const thrown = new Error("on purpose");
    const page = options.error!(thrown);
    assert.ok(isLast(page));
    assert.equal(page.status, 500);
    assert.deepEqual(told, [thrown]);
  } finally {
    console.error = log;
  }
});

test("OptionsTracker keeps an error handler that a reload says nothing of", async () => {
  const options = drained(
    { fetch, error, routes: { "/a": new Response() } },
    { fetch, error: undefined, routes: { "/b": new Response() } },
  )!;
  assert.equal(await options.error!(new Error()).text(), "custom");
  assert.deepEqual(Object.keys(options.routes!), ["/b"]);
});

test("OptionsTracker keeps of the routes what Bun keeps without others: functions", () => {
  const constant = new Response("constant");
  const routes = {
    "/constant": constant,
    "/function": fetch,
    "/methods": { GET: constant, POST: fetch },
    "/constants": { GET: constant },
    "/none": false,
    "/folder": { dir: "/tmp" },
  };
  const options = drained({ fetch, routes }, { fetch })!;
  const kept = options.routes!;
  assert.deepEqual(Object.keys(kept), ["/function", "/methods"]);
  assert.deepEqual(Object.keys(kept["/methods"]!), ["POST"]);
});

test("OptionsTracker forgets options that Bun has refused", async () => {
  const options = new OptionsTracker(new RequestTracker());
  options.track({ fetch, error, routes: { "/a": new Response("a") } }).commit();
  options.track({ fetch: 1, routes: { "/b": new Response("b") } });
  const { routes } = options.closingConnections() as Given;
  assert.deepEqual(Object.keys(routes!), ["/a"]);
  assert.equal(await (routes!["/a"] as Response).text(), "a");
});

test("OptionsTracker reads each member of options and handlers once", () => {
  const reads: string[] = [];
  const count = <T>(name: string, value: T): T => {
    reads.push(name);
    return value;
  };
  const methods = {
    get GET() {
      return count("GET", new Response("get"));
    },
  };
  const handlers = {
    get open() {
      return count("open", undefined);
    },
  };
  const options = new OptionsTracker(new RequestTracker());
  const { tracked, commit } = options.track(
    new class {
      readonly #fetch = fetch;
      get fetch() {
        return count("fetch", this.#fetch);
      }
      get routes() {
        return count("routes", { "/": methods });
      }
      get websocket() {
        return count("websocket", handlers);
      }
      get idleTimeout() {
        return count("idleTimeout", 5);
      }
    }(),
  );
  // As Bun does for each of two sockets.
  for (let socket = 0; socket < 2; socket++) {
    for (const name of ["fetch", "routes", "websocket", "idleTimeout"]) {
      Reflect.get(tracked, name);
    }
  }
  commit();
  const closing = options.closingConnections() as Record<string, unknown>;
  assert.equal(closing["idleTimeout"], 5);
  assert.ok(
    isLast((closing["routes"] as Record<string, typeof methods>)["/"]!.GET),
  );
  assert.deepEqual(reads.toSorted(), [
    "GET",
    "fetch",
    "idleTimeout",
    "open",
    "routes",
    "websocket",
  ]);
});

test("OptionsTracker leaves the array of an app among options as it is", () => {
  const routes = [fetch];
  const options = new OptionsTracker(new RequestTracker());
  const { tracked } = options.track({ fetch, routes });
  assert.equal(Reflect.get(tracked, "routes"), routes);
});
