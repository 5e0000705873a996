/**
 * The parts of listenfds without I/O, for authors of tools: parsers of the
 * environment and of addresses, the activation, metadata and predicates, errors.
 *
 * @module
 */

export { Activation } from "./activation.ts";
export {
  type Address,
  formatAddress,
  type InetAddress,
  type NetlinkAddress,
  sameAddress,
  type UnixAddress,
  type VsockAddress,
} from "./address.ts";
export { type CompatibilityMap, namesFromMap } from "./name_map.ts";
export { Descriptor } from "./descriptor.ts";
export {
  type CommonInfo,
  type DescriptorInfo,
  type DescriptorKind,
  type FileInfo,
  type FileKind,
  type Inspector,
  isFileInfo,
  isSocketInfo,
  type PathInfo,
  type SocketFamily,
  type SocketInfo,
  type SocketKind,
  type SocketType,
  type UnknownInfo,
} from "./info.ts";
export {
  LISTEN_FDS_START,
  LISTEN_VARIABLES,
  type ListenEnvironment,
  type ListenVariable,
  type ListenVariables,
  parseListenEnvironment,
  type ProcessIdentity,
} from "./environment.ts";
export { ActivationError, type ActivationErrorCode } from "./errors.ts";
export { checkExpectations, type Expectations } from "./expectations.ts";
export type { ExpectedKind, UsableKind } from "./kinds.ts";
export { type ListenAddress, parseListenAddress } from "./listen_address.ts";
export {
  isFifo,
  isMessageQueue,
  isSocket,
  isSocketInet,
  isSocketSockaddr,
  isSocketUnix,
  isSpecial,
  type SocketInetQuery,
  type SocketQuery,
  type SocketSockaddrQuery,
  type SocketUnixQuery,
} from "./predicates.ts";
export { decodeSockaddr } from "./sockaddr.ts";
