import assert from "node:assert/strict";
import { test } from "node:test";
import { planUnits } from "../../../../src/cli/unit/options.ts";
import { unitVerb } from "../../../../src/cli/unit/unit.ts";
import { unitFiles } from "../../../../src/cli/unit/files.ts";
import type { Disk } from "../../../../src/cli/shared/disk.ts";
import { UsageError } from "../../../../src/cli/shared/verb.ts";
import { assertMessage } from "../../helpers.ts";

/** A machine with the runtimes in `/usr/bin`, and every script in `/srv`. */
const disk: Disk = {
  status: (path) => ({
    isFile: !path.startsWith("/directory"),
    isDirectory: path.startsWith("/directory"),
    mode: 0o755,
  }),
  isExecutable: (path) => /^\/usr\/bin\/(?:deno|bun|node|app)$/.test(path),
  realPath: (path) => path,
  start: () => "",
};

const PLACE = { disk, cwd: "/srv", searchPath: "/usr/bin" };

const WEB = "--socket=web=127.0.0.1:80";
const NODE = ["--", "node", "main.ts"];

function plan(...args: readonly string[]): ReturnType<typeof planUnits> {
  return planUnits(args, PLACE);
}

/** The units that arguments ask for, by their names. */
function units(...args: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    unitFiles(plan(...args).plan).map(({ name, text }) => [name, text]),
  );
}

/** The settings of a unit, in order; comments and sections left out. */
function settings(text: string): string[] {
  return text.split("\n").filter((line) => /^[A-Z]\w+=/.test(line));
}

/** The values of one setting. */
function values(text: string, setting: string): string[] {
  return settings(text).flatMap((line) =>
    line.startsWith(`${setting}=`) ? [line.slice(setting.length + 1)] : []
  );
}

function assertRefused(args: readonly string[], message: RegExp): void {
  assert.throws(() => units(...args), (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assertMessage(error.message);
    assert.match(error.message, message);
    return true;
  });
}

test("unitFiles() writes a service and its socket", () => {
  const written = units("hello", WEB, "--socket=web=[::1]:80", ...NODE);
  assert.deepEqual(Object.keys(written), ["hello.service", "hello.socket"]);
  assert.deepEqual(settings(written["hello.socket"]!), [
    "Description=hello, on Node: its sockets",
    "FileDescriptorName=web",
    "ListenStream=127.0.0.1:80",
    "ListenStream=[::1]:80",
    "BindIPv6Only=ipv6-only",
    "WantedBy=sockets.target",
  ]);
  assert.deepEqual(settings(written["hello.service"]!), [
    "Description=hello, on Node",
    "Requires=hello.socket",
    "After=hello.socket",
    "Type=notify",
    "NotifyAccess=all",
    "WatchdogSec=30",
    "Restart=on-watchdog",
    "NonBlocking=yes",
    "ExecStart=/usr/bin/node /srv/main.ts",
    "DynamicUser=yes",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "ProtectSystem=strict",
    "PrivateTmp=yes",
    "ProtectHome=yes",
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectProc=invisible",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "SystemCallArchitectures=native",
    "MemoryDenyWriteExecute=no",
  ]);
  for (const text of Object.values(written)) {
    assert.match(text, /^# hello\.s\w+: /);
    assert.ok(text.endsWith("\n"));
    for (const line of text.split("\n")) {
      assert.ok(!line.startsWith("#") || line.length <= 90, line);
    }
  }
});

test("unitFiles() gives several names a socket unit each, for one service", () => {
  const written = units(
    "hello",
    WEB,
    "--socket=admin=unix:admin.sock",
    "--socket=a b%=unix:@hello",
    "--socket=a_b_=tcp:127.0.0.1:81",
    "--socket=web=tcp:127.0.0.1:82",
    ...NODE,
  );
  const sockets = [
    "hello-web.socket",
    "hello-admin.socket",
    "hello-a_b_.socket",
    "hello-a_b_-2.socket",
  ];
  assert.deepEqual(Object.keys(written), ["hello.service", ...sockets]);
  for (const setting of ["Requires", "After", "Sockets"]) {
    assert.deepEqual(values(written["hello.service"]!, setting), [
      sockets.join(" "),
    ]);
  }
  for (const name of sockets) {
    assert.deepEqual(values(written[name]!, "Service"), ["hello.service"]);
  }
  const [web, admin, odd, other] = sockets.map((name) => written[name]!);
  assert.deepEqual(values(web!, "ListenStream"), [
    "127.0.0.1:80",
    "127.0.0.1:82",
  ]);
  assert.deepEqual(values(admin!, "ListenStream"), ["/srv/admin.sock"]);
  assert.deepEqual(values(odd!, "FileDescriptorName"), ["a b%%"]);
  assert.deepEqual(values(odd!, "ListenStream"), ["@hello"]);
  assert.deepEqual(values(other!, "FileDescriptorName"), ["a_b_"]);
});

test("unitFiles() takes the addresses of run", () => {
  const written = units(
    "hello",
    "--socket=web=8080",
    "--socket=web=:8081",
    "--socket=web=./x.sock",
    "--socket=web=@hello",
    "--socket=web=udp:53",
    ...NODE,
  );
  assert.deepEqual(
    settings(written["hello.socket"]!).filter((line) => /^Listen/.test(line)),
    [
      "ListenStream=127.0.0.1:8080",
      "ListenStream=127.0.0.1:8081",
      "ListenStream=/srv/x.sock",
      "ListenStream=@hello",
      "ListenDatagram=127.0.0.1:53",
    ],
  );
});

test("unitFiles() gives UDP sockets their setting, and no backlog", () => {
  const written = units(
    ...["hello", "--socket=dns=udp:127.0.0.1:53", "--backlog=5"],
    ...["--native", "--", "deno", "main.ts"],
  );
  const socket = written["hello.socket"]!;
  assert.deepEqual(values(socket, "ListenDatagram"), ["127.0.0.1:53"]);
  assert.deepEqual(values(socket, "ListenStream"), []);
  assert.deepEqual(values(socket, "Backlog"), []);
  assert.match(written["hello.service"]!, / --allow-net --unstable-net /);
});

test("unitFiles() with --accept gives each socket a service of its own", () => {
  const one = units("hello", "--accept", WEB, ...NODE);
  assert.deepEqual(Object.keys(one), ["hello@.service", "hello.socket"]);
  assert.deepEqual(values(one["hello.socket"]!, "Accept"), ["yes"]);
  assert.deepEqual(values(one["hello.socket"]!, "FileDescriptorName"), []);
  assert.deepEqual(values(one["hello@.service"]!, "Requires"), []);
  const two = units("hello", "--accept", WEB, "--socket=x=unix:@x", ...NODE);
  assert.deepEqual(Object.keys(two), [
    "hello-web@.service",
    "hello-x@.service",
    "hello-web.socket",
    "hello-x.socket",
  ]);
});

test("unitFiles() gives Deno a cache that it may write to", () => {
  const command = ["--", "deno", "run", "main.ts"];
  const service = (...args: string[]) =>
    Object.values(units("hello", WEB, ...args, ...command))[0]!;
  const cached = [["hello"], ['"DENO_DIR=%C/hello"']];
  const cache = (text: string) => [
    values(text, "CacheDirectory"),
    values(text, "Environment"),
  ];
  assert.deepEqual(cache(service()), cached);
  // Several users at once can't share a CacheDirectory=.
  assert.deepEqual(cache(service("--accept")), [[], ["DENO_DIR=/tmp/deno"]]);
  assert.deepEqual(cache(service("--accept", "--user=me")), cached);
});

test("unitFiles() with --native gives Deno what its own servers need", () => {
  const flags = (...sockets: string[]) => {
    const written = units(
      "hello",
      "--native",
      ...sockets,
      "--",
      "deno",
      "main.ts",
    );
    const [line] = values(written["hello.service"]!, "ExecStart");
    assert.match(written["hello.service"]!, /^# --allow-ffi: the C library/m);
    return line!.match(/--(?:allow-(?!env)|unstable-)\S+/g)!.join(" ");
  };
  const unix = "--socket=admin=unix:/run/x.sock";
  assert.equal(flags(WEB), "--allow-ffi --allow-net");
  assert.equal(
    flags(WEB, unix),
    "--allow-ffi --allow-net --allow-read=/tmp --allow-write=/tmp",
  );
  assertRefused(["hello", "--native", WEB, ...NODE], /--native is for Deno/);
});

test("unitFiles() writes what options ask for", () => {
  const written = units(
    "hello.service",
    "--socket=admin=unix:/run/100% $x.sock",
    ...["--socket-mode=660", "--socket-group=admins", "--backlog=77"],
    ...["--description=100% mine", "--user=me", "--env-file=a*b.env"],
    "--working-directory=/directory/x",
    ...NODE,
  );
  const service = written["hello.service"]!;
  const socket = written["hello.socket"]!;
  assert.deepEqual(values(socket, "ListenStream"), ["/run/100%% $x.sock"]);
  assert.deepEqual(values(socket, "SocketMode"), ["0660"]);
  assert.deepEqual(values(socket, "SocketGroup"), ["admins"]);
  assert.deepEqual(values(socket, "Backlog"), ["77"]);
  assert.deepEqual(values(service, "Description"), ["100%% mine"]);
  assert.deepEqual(values(service, "User"), ["me"]);
  assert.deepEqual(values(service, "DynamicUser"), []);
  assert.deepEqual(values(service, "EnvironmentFile"), ["/srv/a\\*b.env"]);
  assert.deepEqual(values(service, "WorkingDirectory"), ["/directory/x"]);
});

test("unitFiles() keeps a home open only where the program is in one", () => {
  const home = (script: string) =>
    values(
      units("hello", WEB, "--", "node", script)["hello.service"]!,
      "ProtectHome",
    );
  assert.deepEqual(home("/srv/main.ts"), ["yes"]);
  assert.deepEqual(home("/home/me/main.ts"), ["read-only"]);
});

test("unitFiles() writes link-local addresses with their interface", () => {
  const written = units("hello", "--socket=web=tcp:[fe80::1%eth0]:80", ...NODE);
  assert.deepEqual(values(written["hello.socket"]!, "ListenStream"), [
    "[fe80::1]:80%%eth0",
  ]);
});

test("unitFiles() for another program leaves the choice on its code", () => {
  const text = units("hello", WEB, "--", "app", "x")["hello.service"]!;
  assert.deepEqual(values(text, "Description"), ["hello"]);
  assert.deepEqual(values(text, "ExecStart"), ["/usr/bin/app x"]);
  assert.match(
    text,
    /without one, this can be yes\.\nMemoryDenyWriteExecute=no/,
  );
});

test("planUnits() takes everything after -- as the command", () => {
  const { plan: planned } = plan(
    "a",
    WEB,
    "--",
    "node",
    "x.ts",
    "--force",
    "--",
  );
  assert.deepEqual(planned.command.words, [
    "/usr/bin/node",
    "/srv/x.ts",
    "--force",
    "--",
  ]);
});

const wrong: [string, readonly string[], RegExp][] = [
  ["nothing", [], /the name of the service first, found none/],
  ["no name", [WEB, ...NODE], /the name of the service first, found "--socket/],
  ["two names", ["a", "b", WEB, ...NODE], /an option or "--", found "b"/],
  ["no command", ["a", WEB], /expected a command after "--", found none/],
  ["an empty command", ["a", WEB, "--"], /expected a command after "--"/],
  ["no socket", ["a", ...NODE], /at least one --socket/],
  ["an unknown option", ["a", "--sockets=x", ...NODE], /--sockets/],
  ["a name with an @", ["a@b", WEB, ...NODE], /found "a@b"/],
  ["a name with a slash", ["a/b", WEB, ...NODE], /found "a\/b"/],
  ["a name with a dot in front", [".a", WEB, ...NODE], /found "\.a"/],
  ["a name that is too long", ["a".repeat(248), WEB, ...NODE], /too long/],
  [
    "names that are too long together",
    ["a".repeat(245), WEB, "--socket=admin=unix:@x", ...NODE],
    /too long/,
  ],
  ["a socket without a name", ["a", "--socket=80", ...NODE], /NAME=ADDRESS/],
  [
    "a colon in a socket's name",
    ["a", "--socket=a:b=[::1]:80", ...NODE],
    /without colons/,
  ],
  [
    "a socket's name that isn't ASCII",
    ["a", "--socket=é=[::1]:80", ...NODE],
    /a name that systemd doesn't take/,
  ],
  [
    "a socket's name with a space at its end",
    ["a", "--socket=a =[::1]:80", ...NODE],
    /a name that systemd doesn't take/,
  ],
  [
    "a socket's name with a backslash at its end",
    ["a", "--socket=a\\=[::1]:80", ...NODE],
    /ends with a backslash/,
  ],
  [
    "a host name",
    ["a", "--socket=web=tcp:localhost:80", ...NODE],
    /numeric addresses only/,
  ],
  ["no port", ["a", "--socket=web=tcp:127.0.0.1:0", ...NODE], /has no port/],
  [
    "two sockets on one address",
    ["a", WEB, "--socket=b=127.0.0.1:80", ...NODE],
    /has this address: give each socket/,
  ],
  [
    "one path twice",
    ["a", "--socket=a=unix:x", "--socket=b=unix:/srv/./x", ...NODE],
    /has this address: give each socket/,
  ],
  [
    "a path that is too long",
    ["a", `--socket=web=unix:/${"é".repeat(54)}`, ...NODE],
    /more than 107 bytes/,
  ],
  [
    "a path with a line break",
    ["a", "--socket=web=unix:/a\nb", ...NODE],
    /control characters/,
  ],
  [
    "datagrams to accept",
    ["a", "--accept", "--socket=a=udp:127.0.0.1:53", ...NODE],
    /no connections to accept/,
  ],
  ["a backlog of nothing", ["a", WEB, "--backlog=0", ...NODE], /found "0"/],
  ["a backlog that isn't one", ["a", WEB, "--backlog=1e3", ...NODE], /"1e3"/],
  [
    "a mode that isn't one",
    ["a", "--socket=a=unix:/x", "--socket-mode=rw", ...NODE],
    /found "rw"/,
  ],
  ["a mode without a path", ["a", WEB, "--socket-mode=660", ...NODE], /paths/],
  ["a user with spaces", ["a", WEB, "--user=a b", ...NODE], /found "a b"/],
  ["the user nobody", ["a", WEB, "--user=nobody", ...NODE], /run as "nobody"/],
  [
    "a directory that doesn't exist",
    ["a", WEB, "--working-directory=x", ...NODE],
    /"x" isn't a directory/,
  ],
  [
    "a description of two lines",
    ["a", WEB, "--description=a\nb", ...NODE],
    /control characters/,
  ],
];

for (const [what, args, message] of wrong) {
  test(`planUnits() refuses ${what}`, () => assertRefused(args, message));
}

test("unit refuses wrong arguments, and writes nothing", () => {
  let text = "";
  const output = { write: (more: string) => void (text += more) };
  const io = { stdout: output, stderr: output, env: {}, cwd: "/" } as never;
  assert.throws(() => unitVerb.run([], io), UsageError);
  assert.equal(text, "");
});

test("unit has help within 80 columns", () => {
  assert.match(unitVerb.help, /^Usage: listenfds unit NAME /);
  for (const line of unitVerb.help.split("\n")) {
    assert.ok(line.length <= 80, line);
  }
});

test("unitFiles() refuses lines and paths that systemd ignores", () => {
  const long = "x".repeat(100_000);
  assertRefused(
    ["hello", WEB, ...NODE, ...Array(11).fill(long)],
    /^Writing the unit "hello\.service": expected lines of at most 1048576 b/,
  );
  for (const path of [`/${"x".repeat(256)}`, `/${"x/".repeat(2100)}`]) {
    assertRefused(
      ["hello", WEB, `--env-file=${path}`, ...NODE],
      /^Writing the file "[^"]*"… \(\d+ characters\) into a unit: it is too l/,
    );
  }
});
