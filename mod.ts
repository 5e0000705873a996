/**
 * systemd socket activation with named descriptors, on Deno, Bun and Node.
 *
 * A service manager hands a program its open sockets as descriptors 3, 4, 5 …
 * and names them in `LISTEN_FDNAMES` (`sd_listen_fds(3)`); the program asks for
 * a name and gets a listener, whatever port or path the unit uses.
 *
 * @example
 * ```ts
 * import { serve } from "@listenfds/listenfds";
 *
 * const server = await serve(
 *   "web",
 *   { fallback: { port: 8080, hostname: "127.0.0.1" } },
 *   () => new Response("hello\n"),
 * );
 * console.log(server.addresses);
 * ```
 *
 * @module
 */

export { activation, inactiveReason } from "./src/activation.ts";
export { adopt } from "./src/adopt.ts";
export { connection } from "./src/connection.ts";
export type { Activation } from "./src/core/activation.ts";
export { type Address, formatAddress } from "./src/core/address.ts";
export type { Descriptor } from "./src/core/descriptor.ts";
export {
  ActivationError,
  type ActivationErrorCode,
} from "./src/core/errors.ts";
export type { DescriptorInfo } from "./src/core/info.ts";
export {
  type ListenAddress,
  parseListenAddress,
} from "./src/core/listen_address.ts";
export type {
  ActivationOptions,
  AdoptOptions,
  ClosableWebSocket,
  Connection,
  EndOptions,
  Fallback,
  FallbackOptions,
  FetchServer,
  InactiveReason,
  Listener,
  ListenOptions,
  ListenTarget,
  Placeholder,
  ServeHandler,
  ServeInfo,
  ServeOptions,
  ShutdownOptions,
} from "./src/core/types.ts";
export { listen } from "./src/listen.ts";
export { serve } from "./src/serve.ts";
