import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { listen } from "../../mod.ts";

/** A listener of this test's own, and a way to connect to it. */
async function open() {
  const listener = await listen("tcp:127.0.0.1:0");
  const [address] = listener.addresses;
  assert.equal(address?.kind, "ipv4");
  const { port } = address as { port: number };
  const connect = () =>
    new Promise<net.Socket>((resolve, reject) => {
      const socket = net.connect({ port, host: "127.0.0.1" });
      socket.once("connect", () => resolve(socket));
      socket.once("error", reject);
    });
  return { listener, connect };
}

test("Listener gives a connection to whoever still waits", async () => {
  const { listener, connect } = await open();
  const left = listener[Symbol.asyncIterator]();
  const pending = left.next();
  await left.return!();
  assert.deepEqual(await pending, { done: true, value: undefined });
  const next = listener[Symbol.asyncIterator]().next();
  const client = await connect();
  const { value } = await next;
  assert.equal(value!.remoteAddress?.kind, "ipv4");
  value!.close();
  client.destroy();
  listener.close();
});

test("Listener gives what was accepted before it was closed, then ends", async () => {
  const { listener, connect } = await open();
  const iterator = listener[Symbol.asyncIterator]();
  // The connection before it has arrived when the second one has.
  const first = await connect();
  const second = await connect();
  const { value } = await iterator.next();
  value!.close();
  const waiting = await iterator.next();
  waiting.value!.close();
  listener.close();
  assert.deepEqual(await iterator.next(), { done: true, value: undefined });
  first.destroy();
  second.destroy();
});

test("Listener closes on dispose what nobody has taken", async () => {
  const { listener, connect } = await open();
  const iterator = listener[Symbol.asyncIterator]();
  const first = await connect();
  const second = await connect();
  const closed = new Promise<void>((resolve) =>
    second.once("close", () => resolve())
  );
  second.on("error", () => {});
  second.resume();
  const { value } = await iterator.next();
  // Both have been accepted as soon as this one is answered.
  const third = iterator.next().then(({ value }) => value);
  listener[Symbol.dispose]();
  (await third)?.close();
  await closed;
  value!.close();
  first.destroy();
});
