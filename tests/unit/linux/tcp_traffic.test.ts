import assert from "node:assert/strict";
import { test } from "node:test";
import { Libc } from "../../../src/ffi/libc.ts";
import type { TcpInfo } from "../../../src/ffi/tcp_info.ts";
import { TcpTraffic } from "../../../src/linux/tcp_traffic.ts";
import { FakeLibc, SOCKET } from "../ffi/fake_libc.ts";
import { ipv4, sockaddr } from "../helpers.ts";

const LISTENER = ipv4("127.0.0.1", 80);

const UNUSED: TcpInfo = {
  state: 1,
  unacked: 0,
  sacked: 0,
  lastSentMs: 500,
  lastReceivedMs: 500,
  bytesAcked: 0n,
  bytesReceived: 0n,
  bytesNotSent: 0,
  dataSegmentsSent: 0,
};
const ANSWERED = {
  ...UNUSED,
  bytesAcked: 100n,
  bytesReceived: 50n,
  dataSegmentsSent: 1,
};

/** A process with one accepted connection. */
class OneConnection extends Libc {
  info: TcpInfo = UNUSED;
  readonly ended: number[] = [];

  constructor() {
    super(
      new FakeLibc({
        files: {
          3: { mode: SOCKET, name: sockaddr(LISTENER) },
          5: {
            mode: SOCKET,
            name: sockaddr(LISTENER),
            peer: sockaddr(ipv4("127.0.0.1", 50000)),
          },
        },
        texts: { "/proc/self/status": "FDSize:\t64\n" },
      }),
    );
  }

  override tcpInfo(): TcpInfo {
    return this.info;
  }

  override shutdownConnection(fd: number): void {
    this.ended.push(fd);
  }
}

function watch() {
  const libc = new OneConnection();
  const traffic = new TcpTraffic(libc, [LISTENER]);
  const look = (info: TcpInfo) => {
    libc.info = info;
    traffic.update();
    const { hasFirstBytes, hasNewBytes, isSending } = traffic;
    return { hasFirstBytes, hasNewBytes, isSending };
  };
  return { libc, traffic, look };
}

const QUIET = { hasFirstBytes: false, hasNewBytes: false, isSending: false };

test("TcpTraffic tells a begun request from none, and from an answered one", () => {
  const { look } = watch();
  assert.deepEqual(look(UNUSED), QUIET);
  assert.deepEqual(look({ ...UNUSED, bytesReceived: 1n }), {
    ...QUIET,
    hasFirstBytes: true,
  });
  assert.deepEqual(look(ANSWERED), QUIET);
  assert.deepEqual(look({ ...ANSWERED, lastSentMs: 499 }), QUIET);
  assert.deepEqual(look({ ...ANSWERED, lastReceivedMs: 499 }), {
    ...QUIET,
    hasNewBytes: true,
  });
});

test("TcpTraffic tells a response that is being sent from one acknowledged late", () => {
  const { look } = watch();
  look(ANSWERED);
  for (let bytes = 200n; bytes < 400n; bytes += 100n) {
    assert.deepEqual(look({ ...ANSWERED, bytesAcked: bytes }), QUIET);
  }
  const sending = { ...QUIET, isSending: true };
  assert.deepEqual(look({ ...ANSWERED, bytesAcked: 500n }), sending);
  // A stall is no end, unless it lasts.
  assert.deepEqual(look({ ...ANSWERED, bytesAcked: 500n }), sending);
  const queued = watch();
  for (let looks = 0; looks < 3; looks++) {
    queued.look({ ...ANSWERED, bytesNotSent: 1 });
  }
  assert.deepEqual(queued.look({ ...ANSWERED, bytesNotSent: 1 }), sending);
});

test("TcpTraffic.endUnused() ends connections on which nothing has come", () => {
  const { libc, traffic } = watch();
  for (const info of [ANSWERED, { ...UNUSED, bytesReceived: 1n }]) {
    libc.info = info;
    traffic.endUnused();
    assert.deepEqual(libc.ended, []);
  }
  libc.info = UNUSED;
  traffic.endUnused();
  assert.deepEqual(libc.ended, [5]);
});
