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

export { activation, inactiveReason } from "./src/activation.ts";
export { adopt } from "./src/adopt.ts";
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
export { listen } from "./src/listen.ts";
export { serve } from "./src/serve.ts";
export type {
  ActivationOptions,
  AdoptOptions,
  ClosableWebSocket,
  Connection,
  DrainOptions,
  Fallback,
  FallbackOptions,
  FetchServer,
  InactiveReason,
  Listener,
  ListenOptions,
  ListenTarget,
  Made,
  Mode,
  Placeholder,
  ServeErrorHandler,
  ServeHandler,
  ServeInfo,
  ServeOptions,
} from "./src/core/types.ts";
