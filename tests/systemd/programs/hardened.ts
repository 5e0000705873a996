/**
 * A service that reports the backend of each of its sockets, and their
 * metadata; `web` is TCP, `admin` Unix, `dns` UDP.
 */

import { activation, serve } from "../../../mod.ts";

const activated = activation()!;
const served: Record<string, unknown> = {};
for (const { name, info } of activated.descriptors) {
  const { kind, address, nonBlocking } = info;
  const about: Record<string, unknown> = { kind, address, nonBlocking };
  served[name] = about;
  try {
    const { backend, backendReason } = await serve(
      name,
      () => Response.json(served),
    );
    Object.assign(about, { backend, backendReason });
  } catch (error) {
    Object.assign(about, { error: (error as Error).message });
  }
}
console.log(`ready ${JSON.stringify(served)}`);
