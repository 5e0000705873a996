import assert from "node:assert/strict";
import { test } from "node:test";
import { takeStaticBody } from "../../../../src/runtime/deno/static_body.ts";

const isDeno = "Deno" in globalThis;

function take(response: Response): string | Uint8Array | undefined {
  response.headers.forEach(() => {});
  return takeStaticBody(response);
}

test("takeStaticBody() takes text and bytes, once, on Deno", async () => {
  const bytes = new Uint8Array([1, 2]);
  for (
    const [create, expected] of [
      [() => new Response("text"), "text"],
      [
        () => new Response("text", { status: 404, headers: { a: "b" } }),
        "text",
      ],
      [() => Response.json({ a: 1 }), '{"a":1}'],
      [() => new Response("text").clone(), "text"],
      [() => new Response(bytes), bytes],
      [() => new Response(new URLSearchParams({ a: "1" })), "a=1"],
    ] as const
  ) {
    const response = create();
    const body = take(response);
    if (!isDeno) {
      assert.equal(body, undefined);
      assert.equal(response.bodyUsed, false);
      continue;
    }
    const text = (value: string | Uint8Array) =>
      typeof value === "string" ? value : new TextDecoder().decode(value);
    assert.equal(text(body!), text(expected));
    assert.equal(response.bodyUsed, true);
    assert.equal(take(response), undefined, "taken twice");
    await assert.rejects(response.text());
  }
});

test("takeStaticBody() leaves what must be read as a stream", async () => {
  for (
    const create of [
      () => new Response(null),
      () => new Response(new Blob(["text"])),
      () => new (class Derived extends Response {})("text"),
      () =>
        Object.defineProperty(new Response("text"), "body", { value: null }),
      () => {
        const response = new Response("text");
        response.body!.getReader();
        return response;
      },
      () => {
        const response = new Response("text");
        response.text();
        return response;
      },
    ]
  ) {
    assert.equal(take(create()), undefined);
  }
  const response = new Response("text");
  void response.body;
  take(response);
  if (!response.bodyUsed) assert.equal(await response.text(), "text");
});
