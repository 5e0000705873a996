/** What clients see of a server that converts requests for a fetch handler. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import { text } from "node:stream/consumers";
import { connect, exchange, request, type TcpTarget } from "./client.ts";
import { eventually } from "./eventually.ts";

/** A behaviour, which throws where a server doesn't have it. */
export type Behaviour = (target: TcpTarget) => Promise<void>;

/** Enough for what a server does at once. */
const PATIENCE_MS = 10_000;

const CLOSE = "Connection: close\r\n\r\n";

async function getJson(
  target: TcpTarget,
  options: http.RequestOptions,
  body?: string,
): Promise<unknown> {
  const { status, body: text } = await request(target, options, body);
  assert.equal(status, 200, text);
  return JSON.parse(text);
}

function readState(target: TcpTarget): Promise<Record<string, number>> {
  return getJson(target, { path: "/state" }) as Promise<
    Record<string, number>
  >;
}

/** Waits until a number of the state is at least that of before and one more. */
async function untilCounted(
  target: TcpTarget,
  name: string,
  before: Record<string, number>,
): Promise<void> {
  await eventually(
    `${name} to be counted`,
    () => readState(target),
    (state) => state[name]! > before[name]!,
    { timeoutMs: PATIENCE_MS },
  );
}

/** Reads the head of a raw answer, in lower case, and the rest. */
function split(answer: string): [head: string, body: string] {
  const end = answer.indexOf("\r\n\r\n");
  return [answer.slice(0, end).toLowerCase(), answer.slice(end + 4)];
}

/** Sends a request whose client goes when the answer has begun, or at once. */
async function leave(target: TcpTarget, path: string): Promise<net.Socket> {
  const socket = await connect(target);
  socket.on("error", () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return socket;
}

const post = (path: string, headers: http.OutgoingHttpHeaders = {}) => ({
  path,
  method: "POST",
  headers,
});

/** The behaviours, by what they show. */
export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  "instanceof Request and Headers": async (target) => {
    const actual = await getJson(target, { path: "/request" });
    const { isRequest, areHeaders, tag, hasBody, bodyUsed } = actual as Record<
      string,
      unknown
    >;
    assert.deepEqual([isRequest, areHeaders, tag], [
      true,
      true,
      "[object Request]",
    ]);
    assert.deepEqual([hasBody, bodyUsed], [false, false]);
  },
  "new Request(request)": async (target) => {
    const origin = `http://127.0.0.1:${target.port}`;
    for (const path of ["/copy", "/bare-copy"]) {
      const actual = await getJson(target, post(path, { "X-A": "1" }), "body");
      const expected = ["POST", origin + path, "1", "body"];
      if (path === "/bare-copy") expected.push(true as never);
      assert.deepEqual(actual, expected);
    }
  },
  "request.clone()": async (target) => {
    const actual = await getJson(target, post("/clone"), "body");
    assert.deepEqual(actual, ["body", "body"]);
  },
  "fetch(request), and its Response": async (target) => {
    const forwarded = await request(target, post("/forward"), "body");
    assert.deepEqual([forwarded.status, forwarded.body], [200, "body"]);
    const { status, body } = await request(target, { path: "/fetch" });
    assert.deepEqual([status, body], [200, "text"]);
  },
  "a body is read once": async (target) => {
    const actual = await getJson(target, post("/twice"), "body");
    assert.deepEqual(actual, [
      "body",
      true,
      "TypeError",
      "TypeError",
      "TypeError",
    ]);
  },
  "text, json, bytes, blob, arrayBuffer, formData": async (target) => {
    const json = await getJson(target, post("/json"), '\ufeff{"a":[1]}');
    assert.deepEqual(json, { a: [1] });
    for (const path of ["/bytes", "/blob", "/echo"]) {
      const { body } = await request(target, post(path), "\xffbody");
      assert.equal(Buffer.from(body, "latin1").toString(), "\xffbody", path);
    }
    const type = { "content-type": "application/x-www-form-urlencoded" };
    const form = await getJson(target, post("/form", type), "a=1&b=2");
    assert.deepEqual(form, ["a,1", "b,2"]);
    const { body } = await request(target, post("/length"), "");
    assert.equal(body, "0");
  },
  "header case and repetition": async (target) => {
    const answer = await exchange(
      target,
      "GET /request HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\n" +
        `Cookie: a=1\r\nCookie: b=2\r\nX-E:\r\nX-L: \xe9\r\n${CLOSE}`,
    );
    const { headers } = JSON.parse(
      split(answer)[1].replace(/^[^{]*|[^}]*$/g, ""),
    );
    const of = new Map(headers as [string, string][]);
    assert.deepEqual([of.get("x-a"), of.get("cookie"), of.get("x-e")], [
      "1, 2",
      "a=1; b=2",
      "",
    ]);
  },
  "Set-Cookie": async (target) => {
    const { headers } = await request(target, { path: "/cookies" });
    assert.deepEqual(headers["set-cookie"], ["a=1", "b=2"]);
    assert.equal(headers["x-y"], "z");
  },
  "HEAD": async (target) => {
    const answer = await exchange(
      target,
      `HEAD /text HTTP/1.1\r\nHost: x\r\n${CLOSE}`,
    );
    assert.deepEqual([answer.slice(9, 12), split(answer)[1]], ["200", ""]);
    const before = await readState(target);
    const endless = await exchange(
      target,
      `HEAD /endless HTTP/1.1\r\nHost: x\r\n${CLOSE}`,
    );
    assert.equal(split(endless)[1], "");
    await untilCounted(target, "cancelled", before);
  },
  "204, 304 and empty bodies": async (target) => {
    for (const path of ["/204", "/304", "/empty"]) {
      const text = `GET ${path} HTTP/1.1\r\nHost: x\r\n${CLOSE}`;
      const [head, body] = split(await exchange(target, text));
      assert.equal(body, "", path);
      assert.doesNotMatch(head, /transfer-encoding/, path);
      if (path === "/empty") assert.match(head, /content-length: 0/);
      if (path === "/204") assert.doesNotMatch(head, /content-length/);
    }
  },
  "the length of a body that is there": async (target) => {
    const { headers } = await request(target, { path: "/text" });
    assert.equal(headers["content-length"], "4");
    assert.equal(headers["transfer-encoding"], undefined);
  },
  "headers of bytes beside text": async (target) => {
    const texts = {
      "": "t\u00e9xt",
      "-ascii": "text",
      "-long": "t".repeat(20_000),
    };
    for (const kind of ["/latin1", "/fast-latin1"]) {
      for (const [length, text] of Object.entries(texts)) {
        const path = `${kind}${length}`;
        const { headers, body } = await request(target, { path });
        assert.equal(headers["x-latin1"], "caf\xe9", path);
        assert.equal(Buffer.from(body, "latin1").toString(), text, path);
      }
    }
  },
  "status texts": async (target) => {
    const text = `GET /reason HTTP/1.1\r\nHost: x\r\n${CLOSE}`;
    assert.match(await exchange(target, text), /^HTTP\/1\.1 418 /);
  },
  "huge bodies": async (target) => {
    const { body } = await request(target, { path: "/large" });
    assert.equal(body.length, 64 << 20);
    const upload = Buffer.alloc(64 << 20, 98);
    const sent = await request(target, post("/length"), upload);
    assert.equal(sent.body, String(upload.length));
    const echoed = await request(target, post("/echo"), upload);
    assert.equal(echoed.body.length, upload.length);
  },
  "streams begin at once": async (target) => {
    const { body } = await request(target, { path: "/parts" });
    assert.equal(body, "abc");
    assert.equal((await request(target, { path: "/at-once" })).body, "abc");
    const socket = await leave(target, "/slow");
    socket.setEncoding("latin1");
    let answer = "";
    socket.on("data", (text) => answer += text);
    await eventually(
      "the first part of a stream",
      () => answer,
      (text) => text.includes("first"),
      { timeoutMs: PATIENCE_MS },
    );
    socket.destroy();
  },
  "back-pressure, and clients that go": async (target) => {
    const before = await readState(target);
    const socket = await leave(target, "/endless");
    await once(socket, "readable");
    await eventually(
      "the server to stop reading the stream",
      async () => {
        const { pulls } = await readState(target);
        await new Promise((resolve) => setTimeout(resolve, 200));
        return (await readState(target)).pulls! - pulls!;
      },
      (more) => more === 0,
      { timeoutMs: PATIENCE_MS },
    );
    const { pulls } = await readState(target);
    assert.ok(pulls! - before.pulls! < 1000, `${pulls} pulls`);
    socket.destroy();
    await untilCounted(target, "cancelled", before);
  },
  "request.signal": async (target) => {
    const before = await readState(target);
    const socket = await leave(target, "/hold");
    await readState(target);
    socket.destroy();
    for (const name of ["aborted", "abortedClones", "abortedCopies"]) {
      await untilCounted(target, name, before);
    }
  },
  "cheap responses": async (target) => {
    const { status, headers, body } = await request(target, {
      path: "/fast-text",
    });
    assert.equal(Buffer.from(body, "latin1").toString(), "t\u00e9xt");
    const { "set-cookie": cookies, "x-y": other } = headers;
    assert.deepEqual([status, cookies, other], [201, ["a=1", "b=2"], "z"]);
    assert.equal(headers["content-length"], "5");
    const head = await request(target, { path: "/fast-text", method: "HEAD" });
    assert.deepEqual([head.status, head.body], [201, ""]);
    const bytes = await request(target, { path: "/fast-bytes" });
    assert.equal(bytes.body, "\x00\xff\n");
    const stream = await request(target, { path: "/fast-stream" });
    assert.equal(stream.body, "abc");
    const empty = await request(target, { path: "/fast-empty" });
    assert.deepEqual([empty.status, empty.body], [404, ""]);
  },
  "responses that can't be sent": async (target) => {
    for (const path of ["/locked", "/text-chunks"]) {
      const { status, body } = await request(target, { path });
      assert.deepEqual([status, body], [500, "failed"], path);
    }
    for (const path of ["/bad-head", "/bad-head-of-stream"]) {
      // Not all runtimes refuse what HTTP/1 doesn't allow.
      const { status, body } = await request(target, { path });
      if (status !== 200) assert.deepEqual([status, body], [500, "failed"]);
    }
    assert.equal((await request(target, { path: "/text" })).status, 200);
  },
  "a stream that breaks": async (target) => {
    const text = `GET /breaks HTTP/1.1\r\nHost: x\r\n${CLOSE}`;
    const answer = await exchange(target, text).catch(() => "");
    assert.doesNotMatch(answer, /\r\n0\r\n\r\n$/);
    assert.equal((await request(target, { path: "/text" })).status, 200);
  },
  "trailers": async (target) => {
    // The connection stays open, because Deno drops the rest of a body behind a
    // half-close, also on a server of its own.
    const socket = await connect(target);
    socket.write(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" +
        `Trailer: X-T\r\n${CLOSE}4\r\nbody\r\n0\r\nX-T: 1\r\n\r\n`,
    );
    assert.match(split(await text(socket))[1], /body/);
  },
  "Expect: 100-continue": async (target) => {
    const sent = http.request({
      agent: false,
      ...target,
      ...post("/echo", { expect: "100-continue", "content-length": 4 }),
    });
    // The answer may begin with the permission to go on.
    const responded = once(sent, "response");
    sent.flushHeaders();
    await once(sent, "continue");
    sent.end("body");
    const [response] = await responded;
    response.setEncoding("latin1");
    let body = "";
    for await (const chunk of response) body += chunk;
    assert.equal(body, "body");
  },
  "targets": async (target) => {
    const cases = [
      ["/a%20b?c=d", "http://x/a%20b?c=d"],
      ["//double/x", "http://x//double/x"],
      ["/%zz", "http://x/%zz"],
      ["/a/../b", "http://x/b"],
      ["http://other:81/x?y", "http://other:81/x?y"],
    ];
    for (const [path, url] of cases) {
      const text = `GET ${path} HTTP/1.1\r\nHost: X\r\n${CLOSE}`;
      const body = split(await exchange(target, text))[1];
      assert.ok(body.includes(`"url":"${url}"`), `${path}: ${body}`);
    }
    const empty = `GET /other/x HTTP/1.1\r\nHost:\r\n${CLOSE}`;
    assert.match(await exchange(target, empty), /^HTTP\/1\.1 400 /);
  },
};
