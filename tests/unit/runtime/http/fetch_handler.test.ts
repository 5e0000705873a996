import assert from "node:assert/strict";
import { test } from "node:test";
import { guard } from "../../../../src/runtime/http/fetch_handler.ts";
import { RequestInfo } from "../../../../src/runtime/http/serve_info.ts";
import { ServerContext } from "../../../../src/runtime/server_context.ts";
import type { ServeOptions } from "../../../../src/core/types.ts";

/** What a handler's request is answered with, and what is printed. */
async function answer(
  handler: () => Response | Promise<Response>,
  onError?: ServeOptions["onError"],
): Promise<{ text: string; status: number; printed: string[] }> {
  const log = console.error;
  const printed: string[] = [];
  console.error = (error: unknown) => printed.push(String(error));
  try {
    const response = await guard(handler, onError).answer(
      new Request("http://host/path"),
      new RequestInfo(new ServerContext(), undefined),
    );
    const { status } = response;
    return { text: await response.text(), status, printed };
  } finally {
    console.error = log;
  }
}

function used(): Response {
  const response = new Response("used");
  response.text();
  return response;
}

/** What can't be sent, and what is said of it. */
const WRONG: readonly (readonly [string, () => Response, RegExp])[] = [
  ["nothing", () => undefined as unknown as Response, /found undefined$/],
  ["a used body", used, /the body of the Response is used already$/],
  ["an error", () => Response.error(), /Response\.error\(\) can't be sent$/],
];

for (const [what, make, message] of WRONG) {
  for (const isAsync of [false, true]) {
    const handler = isAsync ? () => Promise.resolve(make()) : make;
    test(`guard() asks onError once where a handler answers ${what}, ${isAsync ? "later" : "at once"}`, async () => {
      const errors: unknown[] = [];
      const { text, printed } = await answer(handler, (error) => {
        errors.push(error);
        return new Response("handled");
      });
      assert.equal(text, "handled");
      assert.equal(errors.length, 1);
      assert.match(
        String(errors[0]),
        /^TypeError: Handling GET http:\/\/host\/path: /,
      );
      assert.match(String(errors[0]), message);
      assert.deepEqual(printed, []);
    });
  }

  test(`guard() answers 500 where onError answers ${what}`, async () => {
    let calls = 0;
    const { text, status, printed } = await answer(
      () => {
        throw new Error("on purpose");
      },
      () => {
        calls++;
        return make();
      },
    );
    assert.deepEqual([status, text], [500, "Internal Server Error"]);
    assert.equal(calls, 1);
    assert.match(printed.join(), /^TypeError: Answering an error: /);
    assert.match(printed.join(), message);
  });
}
