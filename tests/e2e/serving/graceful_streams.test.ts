/** Endless responses that end when the server begins to shut down. */

import assert from "node:assert/strict";
import { once } from "node:events";
import path from "node:path";
import { openClient } from "../../harness/draining.ts";
import { signal, untilPrinted } from "../../harness/graceful.ts";
import { forEachHost, hostsWith, ROOT } from "../../harness/hosts.ts";
import { startActivated } from "../../harness/program.ts";
import { bindSockets } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const STREAMS = path.join(ROOT, "examples/streams.ts");

/** Half of the time that a shutdown may take. */
const LIMIT_MS = 5000;

forEachHost(hostsWith({ serves: true }), (host) => {
  test(`SIGTERM on ${host.label} ends an event stream, a long poll and WebSockets at once`, async (t) => {
    const hasChat = host.runtime === "node";
    const names = hasChat ? ["web", "chat"] : ["web"];
    const specs = names.map((name) => `${name}=tcp:127.0.0.1:0`);
    const { program, web, chat } = await bindSockets(
      specs,
      ([web, chat]) => ({
        program: startActivated(
          t,
          host.command(STREAMS),
          [web!, chat].filter((socket) => socket !== undefined),
        ),
        web: { host: "127.0.0.1", port: web!.port! },
        chat: chat?.port,
      }),
    );
    await untilPrinted(program, "ready");
    const polling = await openClient(t, web);
    polling.send("/poll");
    const streaming = await openClient(t, web);
    await streaming.ask(program, "/events", /data: .*Z\n/);
    const client = chat === undefined ? undefined : await openChat(chat);

    const { status, ms } = await signal(t, program);
    assert.equal(status, 0);
    assert.ok(ms < LIMIT_MS, `${ms} ms`);
    await streaming.untilEnded();
    assert.match(streaming.received, /\r\n0\r\n\r\n$/);
    await polling.untilEnded();
    assert.match(polling.received, /^HTTP\/1\.1 204 /);
    if (client) assert.equal(await client.closed, 1001);
  });
});

/** Opens a WebSocket; `closed` resolves to its close code. */
async function openChat(
  port: number,
): Promise<{ readonly closed: Promise<number> }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(socket, "open");
  socket.send("hello");
  const [{ data }] = await once(socket, "message") as [MessageEvent];
  assert.equal(data, "hello");
  const closed = once(socket, "close")
    .then(([event]) => (event as CloseEvent).code);
  return { closed };
}
