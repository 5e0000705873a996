/**
 * The `struct tcp_info` of Linux, see `tcp(7)` and `linux/tcp.h`.
 *
 * @module
 */

/** The length up to the last field that is read; older kernels return less. */
export const TCP_INFO_BYTES = 160;

/** The length up to the queue, which each kernel returns. */
const MIN_BYTES = 32;

/** What the kernel reports of a TCP socket; 0 where it is too old. */
export interface TcpInfo {
  /** The state; 0 if the emulator of the processor (qemu) passes only that on. */
  readonly state: number;
  /** Segments that the peer has not acknowledged. While listening: the queue. */
  readonly unacked: number;
  /** While listening: the limit of the queue. */
  readonly sacked: number;
  /** Time since data was sent, and since it was received. */
  readonly lastSentMs: number;
  readonly lastReceivedMs: number;
  readonly bytesAcked: bigint;
  readonly bytesReceived: bigint;
  readonly bytesNotSent: number;
  /** Segments with data that were sent. */
  readonly dataSegmentsSent: number;
}

/** Decodes what `getsockopt(2)` has returned, and how many bytes of it. */
export function decodeTcpInfo(bytes: Uint8Array, length: number): TcpInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, TCP_INFO_BYTES);
  return {
    state: length < MIN_BYTES ? 0 : view.getUint8(0),
    unacked: view.getUint32(24, true),
    sacked: view.getUint32(28, true),
    lastSentMs: view.getUint32(44, true),
    lastReceivedMs: view.getUint32(52, true),
    bytesAcked: view.getBigUint64(120, true),
    bytesReceived: view.getBigUint64(128, true),
    bytesNotSent: view.getUint32(144, true),
    dataSegmentsSent: view.getUint32(156, true),
  };
}
