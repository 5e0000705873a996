/** Arguments of wrong types: each is refused before anything is bound. */

import assert from "node:assert/strict";
import dgram from "node:dgram";
import http from "node:http";
import { test } from "node:test";
import { activation, connection, listen, serve } from "../../mod.ts";
import * as node from "../../src/node.ts";

const handler = () => new Response();

/** What each function does with a target, and with options. */
const CALLS: Record<string, {
  target(target: never): Promise<unknown>;
  options?(options: never): Promise<unknown>;
}> = {
  "serve()": {
    target: (target) => serve(target, handler),
    options: (options) => serve("web", options, handler),
  },
  "listen()": {
    target: (target) => listen(target),
    options: (options) => listen("web", options),
  },
  "connection()": { target: (target) => connection(target) },
  "listen() of ./node": {
    target: (target) => node.listen(http.createServer(), target),
    options: (options) => node.listen(http.createServer(), "web", options),
  },
};

const NO_TARGETS = [
  null,
  3,
  true,
  {},
  ["web"],
  Symbol("web"),
  { kind: "web" },
  { kind: "systemd" },
  { kind: "fd", fd: "3" },
  { kind: "tcp" },
  { kind: "tcp", hostname: "127.0.0.1" },
  { kind: "unix" },
];

for (const [name, { target, options }] of Object.entries(CALLS)) {
  test(`${name} refuses a target that is none`, async () => {
    for (const value of NO_TARGETS) {
      await assert.rejects(target(value as never), {
        name: "TypeError",
        message: /^[A-Z][a-zA-Z ]+ ".*": expected a name, an address .*found "/,
      });
    }
  });
  if (options === undefined) continue;
  test(`${name} refuses options that are no object`, async () => {
    for (const value of [null, 3, "web", [], true]) {
      await assert.rejects(options(value as never), {
        name: "TypeError",
        message: /^.* "web": expected an object of options, found "/,
      });
    }
  });
}

test("bind() of ./node refuses a target that is none", async (t) => {
  for (const value of NO_TARGETS) {
    const socket = dgram.createSocket("udp4");
    t.after(() => socket.close());
    await assert.rejects(node.bind(socket, value as never), {
      name: "TypeError",
      message: /expected a name, an address .*found "/,
    });
  }
});

test("activation() refuses options that are no object", () => {
  for (const value of [null, 3, "web", []]) {
    assert.throws(() => activation(value as never), {
      name: "TypeError",
      message:
        /^Reading the activation: expected an object of options, found "/,
    });
  }
});
