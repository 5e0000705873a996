/**
 * The parts of listenfds that do no I/O, for authors of tools: parsing the
 * environment, the activation, addresses and the errors.
 *
 * @module
 */

export { Activation, type CloseDescriptor } from "./activation.ts";
export {
  type Address,
  formatAddress,
  type InetAddress,
  sameAddress,
  type UnixAddress,
} from "./address.ts";
export {
  type CompatibilityMap,
  namesFromMap,
  type UnnamedDescriptor,
} from "./compatibility_map.ts";
export {
  Descriptor,
  type DescriptorInfo,
  type DescriptorKind,
  type Inspect,
  requireKind,
  type UsableKind,
} from "./descriptor.ts";
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
export { type ListenAddress, parseListenAddress } from "./listen_address.ts";
