/** The entry points of one runtime, imported on another one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as bun from "../../src/bun.ts";
import * as deno from "../../src/deno.ts";

/** Calls an entry point with a name only, as a program without types can. */
type Call = (name: string, ...rest: unknown[]) => Promise<unknown>;

const entryPoints = {
  Deno: {
    serve: deno.serve,
    listen: deno.listen,
    listenTls: deno.listenTls,
    listenDatagram: deno.listenDatagram,
  },
  Bun: { serve: bun.serve, listen: bun.listen, udpSocket: bun.udpSocket },
};

for (const [title, functions] of Object.entries(entryPoints)) {
  for (const [name, call] of Object.entries(functions)) {
    test(`${name}() of ${title} reports that this is another runtime`, {
      skip: title in globalThis && `this is ${title}`,
    }, async () => {
      await assert.rejects(
        (call as Call)("web", {}, () => new Response()),
        new RegExp(`^TypeError: Using ${title}'s own servers: this is `),
      );
    });
  }
}
