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
 *   { fallback: { port: 8080 } },
 *   () => new Response("hello\n"),
 * );
 * console.log(server.addresses);
 * ```
 *
 * @module
 */

export {
  activation,
  type ActivationOptions,
  type InactiveReason,
  inactiveReason,
} from "./src/activation.ts";
export { adopt, type AdoptOptions } from "./src/adopt.ts";
export { connection } from "./src/connection.ts";
export {
  Activation,
  ActivationError,
  type ActivationErrorCode,
  type Address,
  type CloseDescriptor,
  type CommonInfo,
  type CompatibilityMap,
  Descriptor,
  type DescriptorInfo,
  type DescriptorKind,
  type Expectations,
  type ExpectedKind,
  type FileInfo,
  type FileKind,
  formatAddress,
  type InetAddress,
  type Inspector,
  isFifo,
  isFileInfo,
  isMessageQueue,
  isSocket,
  isSocketInet,
  isSocketInfo,
  isSocketSockaddr,
  isSocketUnix,
  isSpecial,
  type ListenAddress,
  type NetlinkAddress,
  parseListenAddress,
  type PathInfo,
  type SocketFamily,
  type SocketInetQuery,
  type SocketInfo,
  type SocketKind,
  type SocketQuery,
  type SocketSockaddrQuery,
  type SocketType,
  type SocketUnixQuery,
  type UnixAddress,
  type UnknownInfo,
  type VsockAddress,
} from "./src/core/mod.ts";
export { listen, type Listener, type ListenOptions } from "./src/listen.ts";
export type { Placeholder } from "./src/runtime/platform.ts";
export { type FetchServer, serve, type ServeOptions } from "./src/serve.ts";
export type {
  ClosableWebSocket,
  Connection,
  DrainOptions,
  Fallback,
  ListenTarget,
  Made,
  Mode,
  ServeErrorHandler,
  ServeHandler,
  ServeInfo,
} from "./src/core/types.ts";
