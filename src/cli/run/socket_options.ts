/**
 * Settings of a socket unit that set an option of the socket (`setsockopt(2)`).
 *
 * @module
 */

import { parseSeconds } from "../../core/systemd/time_span.ts";
import type { SocketOption } from "../../ffi/sockets.ts";
import type { SocketAddress } from "../shared/socket_spec.ts";
import {
  parseBoolean,
  parseInteger,
  parseSize,
  parseTypeOfService,
} from "../shared/systemd/values.ts";

/** A socket option that a setting sets. */
interface OptionSetting {
  readonly option: SocketOption;
  /** Parses the value; returns `undefined` if it is invalid. */
  readonly parse: (value: string) => number | undefined;
  /** Kinds of sockets with this option. */
  readonly kinds: readonly SocketAddress["kind"][];
}

const TCP_ONLY = ["tcp"] as const;
const INET_KINDS = ["tcp", "udp"] as const;
const UNIX_KINDS = ["unix", "unixgram", "seqpacket"] as const;
const ALL_KINDS = [...INET_KINDS, ...UNIX_KINDS] as const;

const parseFlag = (value: string) => {
  const flag = parseBoolean(value);
  return flag === undefined ? undefined : Number(flag);
};

const parseWholeSeconds = (value: string) => {
  const seconds = parseSeconds(value);
  return seconds === undefined ? undefined : Math.ceil(seconds);
};

const setting = (
  option: SocketOption,
  parse: OptionSetting["parse"],
  kinds: OptionSetting["kinds"],
): OptionSetting => ({ option, parse, kinds });

/** Socket options by their settings. */
export const OPTION_SETTINGS: Readonly<Record<string, OptionSetting>> = {
  KeepAlive: setting("keepAlive", parseFlag, TCP_ONLY),
  KeepAliveTimeSec: setting("keepAliveTime", parseWholeSeconds, TCP_ONLY),
  KeepAliveIntervalSec: setting(
    "keepAliveInterval",
    parseWholeSeconds,
    TCP_ONLY,
  ),
  KeepAliveProbes: setting("keepAliveProbes", parseInteger, TCP_ONLY),
  NoDelay: setting("noDelay", parseFlag, TCP_ONLY),
  DeferAcceptSec: setting("deferAccept", parseWholeSeconds, TCP_ONLY),
  Priority: setting("priority", parseInteger, ALL_KINDS),
  ReceiveBuffer: setting("receiveBuffer", parseSize, ALL_KINDS),
  SendBuffer: setting("sendBuffer", parseSize, ALL_KINDS),
  IPTOS: setting("typeOfService", parseTypeOfService, INET_KINDS),
  IPTTL: setting("timeToLive", parseInteger, INET_KINDS),
  Mark: setting("mark", parseInteger, ALL_KINDS),
  FreeBind: setting("freeBind", parseFlag, INET_KINDS),
  ReusePort: setting("reusePort", parseFlag, INET_KINDS),
  Broadcast: setting("broadcast", parseFlag, ["udp"]),
  PassCredentials: setting("passCredentials", parseFlag, UNIX_KINDS),
};
