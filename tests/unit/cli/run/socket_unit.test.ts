import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSeconds } from "../../../../src/core/systemd/time_span.ts";
import {
  readSocketUnit,
  type SocketUnit,
} from "../../../../src/cli/run/socket_unit.ts";
import { parseUnitFile } from "../../../../src/cli/shared/systemd/unit_file.ts";
import {
  parseBoolean,
  parseInteger,
  parseMode,
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

test("readSocketUnit() names what is not supported, unknown or misplaced", () => {
  const { notes } = read([
    "ListenStream=80",
    "ExecStartPre=/bin/true",
    "TimeoutSec=5",
    "SocketUser=web",
    "PrivateTmp=yes",
    "PassPIDFD=yes",
    "Nonsense=1",
    "FileDescripterName=web",
    "filedescriptorname=web",
    "WantedBy=sockets.target",
    "[Service]",
    "ExecStart=/bin/true",
    "[Sockets]",
    "ListenStream=81",
    "[Install]",
    "WantedBy=sockets.target",
    "[Unit]",
    "Description=x",
    "ConditionPathExists=/x",
    "Descripton=x",
    "ListenStream=82",
    "[X-Own]",
    "Any=1",
  ]);
  const isUnsupported = "= is not supported, and has no effect";
  assert.deepEqual(notes.map((note) => note.replace("web.socket:", "")), [
    `3: ExecStartPre${isUnsupported}`,
    `4: TimeoutSec${isUnsupported}`,
    `5: SocketUser${isUnsupported}`,
    `6: PrivateTmp${isUnsupported}`,
    `7: PassPIDFD${isUnsupported}`,
    "8: unknown setting Nonsense=, which has no effect",
    "9: unknown setting FileDescripterName=, did you mean " +
    "FileDescriptorName=? It has no effect",
    "10: unknown setting filedescriptorname=, did you mean " +
    "FileDescriptorName=? It has no effect",
    "11: WantedBy= has no effect in [Socket]: it belongs to [Install]",
    "13: the section [Service] is not that of a socket unit, and has no effect",
    "15: the section [Sockets] is not that of a socket unit, and has no " +
    "effect: did you mean [Socket]?",
    "21: unknown setting Descripton=, did you mean Description=? It has no " +
    "effect",
    "22: ListenStream= has no effect in [Unit]: it belongs to [Socket]",
  ]);
});

test("readSocketUnit() takes BindIPv6Only= as systemd does", () => {
  for (
    const [value, expected] of [
      ["default", false],
      ["both", false],
      ["ipv6-only", true],
      ["yes", true],
      ["TRUE", true],
      ["1", true],
      ["t", true],
      ["on", true],
      ["no", false],
      ["F", false],
      ["0", false],
      ["off", false],
      ["", false],
    ] as const
  ) {
    const { specs } = read(["ListenStream=80", `BindIPv6Only=${value}`]);
    assert.equal(specs[0]!.settings!.ipv6Only, expected, value);
  }
});

test("readSocketUnit() takes an interface after the port, as systemd does", () => {
  const { specs } = read(["ListenStream=[fe80::1]:80%%lo"]);
  assert.deepEqual(specs[0]!.address, {
    kind: "tcp",
    hostname: "fe80::1%lo",
    port: 80,
  });
});

test("readSocketUnit() takes systemd's default of Backlog=", () => {
  const { specs } = read(["ListenStream=80", "Backlog=4294967295"]);
  assert.equal(specs[0]!.settings!.backlog, 2 ** 31 - 1);
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
  refuses("BindIPv6Only=never", /"ipv6-only", or "yes" or "no", found "never"/);
  refuses("BindIPv6Only=Both", /"ipv6-only", or "yes" or "no", found "Both"/);
  refuses("SocketProtocol=sctp", /SocketProtocol= is not supported/);
  refuses("ListenStream=1.2.3.4:80%lo", /the specifier "%l" is not supported/);
  refuses("ListenStream=1.2.3.4:80%%lo", /expected ListenStream= to be a p/);
  refuses("Symlinks=a", /expected Symlinks= to be absolute paths/);
  refuses("KeepAlive=maybe", /expected KeepAlive= to be/);
  assert.throws(
    () => read(["Backlog=5"]),
    /Reading web.socket: expected a setting that creates a socket/,
  );
});

test("the values of settings are read as systemd does", () => {
  assert.deepEqual(
    "1 yes y true t on YES True".split(" ").map(parseBoolean),
    Array(8).fill(true),
  );
  assert.deepEqual(
    "0 no n false f off NO Off".split(" ").map(parseBoolean),
    Array(8).fill(false),
  );
  assert.deepEqual(
    ["2", "", "enable", "ja", " yes"].map(parseBoolean),
    Array(5).fill(undefined),
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
    ["1M 512K", "64KB", "1B", "1K 1M", "10 20", "8KK"].map(parseSize),
    [1572864, 65536, 1, undefined, undefined, undefined],
  );
  assert.deepEqual(
    ["5", "1min 30s", "1h2m", "500ms", "1 s", "x", "", "1 fortnight"]
      .map(parseSeconds),
    [5, 90, 3720, 0.5, 1, undefined, undefined, undefined],
  );
  assert.deepEqual(
    ["1w", "2weeks", "250msec", "1M", "infinity", "infinite"].map(parseSeconds),
    [604800, 1209600, 0.25, 2630016, 2 ** 31 - 1, undefined],
  );
  assert.deepEqual(
    ["low-delay", "16", "toString"].map(parseTypeOfService),
    [16, 16, undefined],
  );
});
