/**
 * What requests under load ask for: bodies that nobody can take for another's,
 * and that show when a part is missing.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type * as http from "node:http";
import process from "node:process";

/** The answer to `/work?id=…`. */
export function workBody(id: string): string {
  return `${id}:`.repeat(Math.ceil(2000 / (id.length + 1))) + "end";
}

/**
 * Answers `/work`, after the time that is asked for, and `/upload` with the hash of
 * what was sent.
 */
export async function answerWork(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === "/upload") {
    const hash = createHash("sha256");
    for await (const chunk of request.body!) hash.update(chunk);
    return new Response(hash.digest("hex"));
  }
  const milliseconds = Number(searchParams.get("ms") ?? 0);
  if (milliseconds > 0) {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
  return new Response(workBody(searchParams.get("id") ?? String(process.pid)));
}

/** Answers a request of `node:http` as a fetch handler does. */
export async function answerNode(
  handle: (request: Request) => Response | Promise<Response>,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { method, url } = request;
  const body = method === "POST" ? { body: request, duplex: "half" } : {};
  try {
    const answer = await handle(
      new Request(
        `http://localhost${url}`,
        { method: method!, ...body } as never,
      ),
    );
    response.end(Buffer.from(await answer.arrayBuffer()));
  } catch {
    // The client has gone away while it sent its request.
    response.destroy();
  }
}
