/**
 * What requests under load ask for: bodies that nobody can take for another's,
 * and that show when a part is missing.
 *
 * @module
 */

import type * as http from "node:http";

/** The answer to `/work?id=…`. */
export function workBody(id: string): string {
  return `${id}:`.repeat(Math.ceil(2000 / (id.length + 1))) + "end";
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
