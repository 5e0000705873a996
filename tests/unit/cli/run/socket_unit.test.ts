import assert from "node:assert/strict";
import { test } from "node:test";
import {
  readSocketUnit,
  type SocketUnit,
} from "../../../../src/cli/run/socket_unit.ts";
import { parseUnitFile } from "../../../../src/cli/shared/systemd/unit_file.ts";
import {
  parseBoolean,
  parseInteger,
  parseMode,
  parseSeconds,
  parseSize,
  parseTypeOfService,
} from "../../../../src/cli/shared/systemd/values.ts";
import { UsageError } from "../../../../src/cli/shared/verb.ts";

function read(lines: readonly string[], hasIpv6 = true): SocketUnit {
  const text = ["[Socket]", ...lines].join("\n");
  return readSocketUnit("web.socket", parseUnitFile(text, "web.socket"), {
    specifiers: { t: "/run", n: "web.socket" },
    hasIpv6,
    ipv6OnlyByDefault: false,
  });
}

function refuses(line: string, expected: RegExp): void {
  assert.throws(() => read(["ListenStream=/x", line]), (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.message, expected);
    assert.match(error.message, /^Reading web\.socket:3: /);
    return true;
  }, line);
}

test("readSocketUnit() reads addresses of every kind, in order", () => {
  const { specs, accept, notes } = read([
    "ListenDatagram=53",
    "ListenStream=127.0.0.1:80",
    "ListenStream=[::1]:80",
    "ListenStream=[fe80::1%%lo]:80",
    "ListenStream=%t/%n.sock",
    "ListenStream=@abstract",
    "ListenDatagram=[::]:53",
    "ListenDatagram=/run/d",
    "ListenSequentialPacket=/run/s",
    "ListenSequentialPacket=@s",
    "ListenFIFO=/run/f",
  ]);
  assert.deepEqual(specs.map(({ address }) => address), [
    { kind: "udp", hostname: "::", port: 53 },
    { kind: "tcp", hostname: "127.0.0.1", port: 80 },
    { kind: "tcp", hostname: "::1", port: 80 },
    { kind: "tcp", hostname: "fe80::1%lo", port: 80 },
    { kind: "unix", path: "/run/web.socket.sock" },
    { kind: "unix", path: "@abstract" },
    { kind: "udp", hostname: "::", port: 53 },
    { kind: "unixgram", path: "/run/d" },
    { kind: "seqpacket", path: "/run/s" },
    { kind: "seqpacket", path: "@s" },
    { kind: "fifo", path: "/run/f" },
  ]);
  assert.deepEqual(
    new Set(specs.map(({ name }) => name)),
    new Set(["web.socket"]),
  );
  assert.deepEqual({ accept, notes }, { accept: false, notes: [] });
});

test("readSocketUnit() takes a port alone for IPv4 where there is no IPv6", () => {
  const { specs } = read(["ListenStream=80"], false);
  assert.deepEqual(specs[0]!.address, {
    kind: "tcp",
    hostname: "0.0.0.0",
    port: 80,
  });
});

test("readSocketUnit() forgets all addresses at an empty one of any kind", () => {
  const { specs } = read([
    "ListenStream=80",
    "ListenFIFO=/run/f",
    "ListenDatagram=",
    "ListenStream=81",
  ]);
  assert.deepEqual(specs.map(({ address }) => address), [
    { kind: "tcp", hostname: "::", port: 81 },
  ]);
});

test("readSocketUnit() reads the options, with systemd's defaults", () => {
  const paths = {
    mode: 0o666,
    directoryMode: 0o755,
    keepPath: false,
    symlinks: [],
  };
  assert.deepEqual(
    read(["ListenStream=80", "ListenStream=/x"]).specs.map((each) =>
      each.settings
    ),
    [{ ipv6Only: false }, paths],
  );
  const { specs, accept, maxConnections } = read([
    "ListenStream=80",
    "ListenStream=/x",
    "ListenFIFO=/f",
    "FileDescriptorName=admin",
    "Backlog=5",
    "SocketMode=0600",
    "DirectoryMode=0700",
    "BindIPv6Only=ipv6-only",
    "RemoveOnStop=no",
    "Symlinks=/a /b",
    "Symlinks=/%n",
    "PipeSize=64K",
    "KeepAlive=yes",
    "KeepAliveTimeSec=1min 30s",
    "NoDelay=true",
    "ReusePort=on",
    "Broadcast=yes",
    "PassCredentials=1",
    "Priority=3",
    "ReceiveBuffer=1M",
    "IPTOS=low-delay",
    "Mark=7",
    "Mark=",
    "Accept=yes",
    "MaxConnections=3",
    "Service=other.service",
  ]);
  assert.deepEqual({ accept, maxConnections }, {
    accept: true,
    maxConnections: 3,
  });
  assert.deepEqual([...new Set(specs.map(({ name }) => name))], ["admin"]);
  const path = {
    backlog: 5,
    mode: 0o600,
    directoryMode: 0o700,
    keepPath: true,
    symlinks: ["/a", "/b", "/web.socket"],
  };
  assert.deepEqual(specs.map(({ settings }) => settings), [
    {
      backlog: 5,
      ipv6Only: true,
      numbers: {
        keepAlive: 1,
        keepAliveTime: 90,
        noDelay: 1,
        reusePort: 1,
        priority: 3,
        receiveBuffer: 2 ** 20,
        typeOfService: 0x10,
      },
    },
    {
      ...path,
      numbers: { passCredentials: 1, priority: 3, receiveBuffer: 2 ** 20 },
    },
    { ...path, pipeSize: 65536 },
  ]);
});

test("readSocketUnit() goes back to the defaults where a value is empty", () => {
  const { specs, accept, maxConnections } = read([
    "ListenStream=/x",
    "FileDescriptorName=a",
    "FileDescriptorName=",
    "Backlog=5",
    "Backlog=",
    "SocketMode=0600",
    "SocketMode=",
    "Accept=yes",
    "Accept=",
    "MaxConnections=3",
    "MaxConnections=",
    "Symlinks=/a",
    "Symlinks=",
    "KeepAlive=yes",
    "KeepAlive=",
  ]);
  assert.deepEqual({ accept, maxConnections, specs }, {
    accept: false,
    maxConnections: 64,
    specs: [{
      name: "web.socket",
      address: { kind: "unix", path: "/x" },
      settings: {
        mode: 0o666,
        directoryMode: 0o755,
        keepPath: false,
        symlinks: [],
      },
    }],
  });
});

test("readSocketUnit() names what is not supported", () => {
  const { notes } = read([
    "ListenStream=80",
    "ExecStartPre=/bin/true",
    "TimeoutSec=5",
    "SocketUser=web",
    "Nonsense=1",
    "[Service]",
    "ExecStart=/bin/true",
    "[Install]",
    "WantedBy=sockets.target",
    "[Unit]",
    "Description=x",
  ]);
  assert.deepEqual(notes, [
    ..."ExecStartPre TimeoutSec SocketUser Nonsense".split(" ").map((
      key,
      at,
    ) => `web.socket:${at + 3}: ${key}= is not supported, and has no effect`),
    "web.socket:8: the section [Service] is not that of a socket unit, and " +
    "has no effect",
  ]);
});

test("readSocketUnit() refuses what would be another descriptor", () => {
  for (
    const key of [
      "ListenSpecial",
      "ListenNetlink",
      "ListenMessageQueue",
      "ListenUSBFunction",
    ]
  ) {
    refuses(`${key}=x`, new RegExp(`${key}= is not supported: the command wo`));
  }
});

test("readSocketUnit() refuses wrong values, and says where", () => {
  for (
    const address of [
      "0",
      "65536",
      "localhost:80",
      "1.2.3:80",
      "[::g]:80",
      "::1:80",
      "x.sock",
      "@",
      "vsock:2:80",
      "tcp:127.0.0.1:80",
    ]
  ) refuses(`ListenStream=${address}`, /expected ListenStream= to be a p/);
  refuses("ListenFIFO=@x", /expected ListenFIFO= to be an absolute path, f/);
  refuses("ListenSequentialPacket=80", /to be an absolute path, or "@" and a/);
  refuses("ListenStream=/%Z", /the specifier "%Z" is not supported here/);
  refuses("FileDescriptorName=a:b", /a name of 1 to 255 characters without/);
  refuses("Backlog=many", /expected Backlog= to be a valid value/);
  refuses("SocketMode=0999", /expected SocketMode= to be/);
  refuses("Accept=maybe", /expected Accept= to be/);
  refuses("BindIPv6Only=no", /"default", "both" or "ipv6-only", found "no"/);
  refuses("Symlinks=a", /expected Symlinks= to be absolute paths/);
  refuses("KeepAlive=maybe", /expected KeepAlive= to be/);
  assert.throws(
    () => read(["Backlog=5"]),
    /Reading web.socket: expected a setting that creates a socket/,
  );
});

test("the values of settings are read as systemd does", () => {
  assert.deepEqual(
    ["1", "YES", "on", "0", "No", "off", "2", ""].map(parseBoolean),
    [true, true, true, false, false, false, undefined, undefined],
  );
  assert.deepEqual(
    ["0", "12", "2147483648", "-1", "1e3", "", "0x1"].map(parseInteger),
    [0, 12, undefined, undefined, undefined, undefined, undefined],
  );
  assert.deepEqual(
    ["0644", "7777", "888", "10000", "", "x"].map(parseMode),
    [0o644, 0o7777, undefined, undefined, undefined, undefined],
  );
  assert.deepEqual(
    ["1", "8K", "1.5M", "2G", "1X", ""].map(parseSize),
    [1, 8192, 1572864, undefined, undefined, undefined],
  );
  assert.deepEqual(
    ["5", "1min 30s", "1h2m", "500ms", "1 s", "x", "", "1 fortnight"]
      .map(parseSeconds),
    [5, 90, 3720, 0.5, 1, undefined, undefined, undefined],
  );
  assert.deepEqual(
    ["low-delay", "16", "toString"].map(parseTypeOfService),
    [16, 16, undefined],
  );
});
