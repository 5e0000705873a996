/**
 * A service that reports in which way it serves each of its sockets, and their
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
    const { mode, modeReason } = await serve(
      name,
      () => Response.json(served),
    );
    Object.assign(about, { mode, modeReason });
  } catch (error) {
    Object.assign(about, { error: (error as Error).message });
  }
}
console.log(`ready ${JSON.stringify(served)}`);
