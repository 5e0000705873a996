import assert from "node:assert/strict";
import { test } from "node:test";
import { runMain } from "../cli_io.ts";

const WEB = "--socket=web=127.0.0.1:0";
const END = ["--", "/bin/sh"];

/** Arguments that are refused before anything is done, and why. */
const REFUSED: readonly [readonly string[], RegExp][] = [
  [[], /expected "--" and a command after it: see listenfds run --help$/],
  [[WEB], /expected "--" and a command after it/],
  [[WEB, "--"], /expected "--" and a command after it/],
  [END, /expected "--socket NAME=ADDRESS" or "--from-unit FILE\.socket"/],
  [[WEB, "/bin/sh", "--", "x"], /listenfds run: .*"\/bin\/sh"/],
  [["x", ...END], /expected an option or "--", found "x"/],
  [["--sockets=x", ...END], /option "--sockets": did you mean --socket\?$/],
  [["--sokcet", "x", ...END], /option "--sokcet": did you mean --socket\?$/],
  [["-socket", "x", ...END], /option "-s": did you mean --socket\?$/],
  [["--wach", ...END], /unknown option "--wach": did you mean --watch\?$/],
  [["--stop", "1", ...END], /option "--stop": did you mean --stop-timeout\?$/],
  [["--frobnicate", ...END], /option "--frobnicate": see listenfds run --he/],
  [[WEB, "--watch", "src", ...END], /"src": write "--watch=src"/],
  [[WEB, "--ignore", "src", ...END], /"--ignore" has no use without "--watch"/],
  [[WEB, "--watch=/no/such/*", ...END], /Watching "\/no\/such\/\*": nothing m/],
  [["--toString", ...END], /unknown option "--toString"/],
  [["-s", "x", ...END], /unknown option "-s"/],
  [["--socket", ...END], /"--socket" needs a value/],
  [["--socket", "--lazy", ...END], /"--socket" needs a value/],
  [["--socket=", ...END], /"--socket" needs a value/],
  [[WEB, "--lazy=yes", ...END], /"--lazy" takes no value/],
  [[WEB, "--lazy", "yes", ...END], /expected an option or "--", found "yes"/],
  [[WEB, "--accept", "--watch", ...END], /"--watch" has no use with "--accep/],
  [[WEB, "--accept", "--lazy", ...END], /"--lazy" has no use with "--accept"/],
  [[WEB, "--accept", "--instances=2", ...END], /"--instances" has no use wi/],
  [[WEB, "--instances=0", ...END], /expected --instances to be a number from/],
  [[WEB, "--instances", ...END], /"--instances" needs a value/],
  [[WEB, "--stop-timeout=x", ...END], /"--stop-timeout" needs a number of/],
  [[WEB, "--stop-timeout=-1", ...END], /"--stop-timeout" needs a number of/],
  [[WEB, "--stop-timeout=1e3", ...END], /"--stop-timeout" needs a number of/],
  [
    [WEB, "--stop-timeout=1", "--stop-timeout=2", ...END],
    /"--stop-timeout" was given twice/,
  ],
  [[WEB, "--env-file=/no/such", ...END], /variables in "\/no\/such": ENOENT/],
  [[WEB, "--", ""], /Starting "": /],
  [[WEB, "--", "/"], /Starting "\/": it is a directory/],
  [[WEB, "--", "/etc/passwd"], /Starting "\/etc\/passwd": it is not exec/],
  [[WEB, "--", "etc/passwd"], /Starting "etc\/passwd": it is not exec/],
  [[WEB, "--", "no/such"], /Starting "no\/such": there is no such file/],
  [
    [WEB, "--", "nothing-here"],
    /Starting "nothing-here": it is in no directory/,
  ],
  [
    ["--accept", "--socket=a=udp:127.0.0.1:0", ...END],
    /connections on "a": expected a socket that has connections, found udp/,
  ],
];

/** Text for `--socket`, and why it is refused. */
const REFUSED_SOCKETS: readonly [string, RegExp][] = [
  ["127.0.0.1:0", /Parsing the socket "127\.0\.0\.1:0": expected NAME=ADDR/],
  ["=127.0.0.1:0", /expected a name of 1 to 255 characters/],
  ["a:b=127.0.0.1:0", /expected a name of 1 to 255 characters without colons/],
  ["a\nb=127.0.0.1:0", /"a\\nb=127\.0\.0\.1:0": expected a name/],
  ["a\x1b[1m=127.0.0.1:0", /expected a name of 1 to 255 characters/],
  ["a\x7f=127.0.0.1:0", /expected a name of 1 to 255 characters/],
  [`${"a".repeat(256)}=127.0.0.1:0`, /expected a name of 1 to 255 characters/],
  ["a=", /Parsing the address "": expected "HOST:PORT"/],
  ["a=65536", /"65536": expected a port from 0 to 65535, found "65536"/],
  ["a=x.sock", /expected a path with a slash: write "\.\/x\.sock"$/],
  ["a=*:80", /expected a host: write "0\.0\.0\.0:80" or "\[::\]:80"/],
  ["a=1:80", /expected a host before the port, found a number/],
  ["a=http://localhost:80/x", /found a URL: write its .* "localhost:80"$/],
  ["a=127.0.0.1", /Parsing the address "127\.0\.0\.1"/],
  ["a=127.0.0.1:", /Parsing the address "127\.0\.0\.1:"/],
  ["a=127.0.0.1:x", /Parsing the address "127\.0\.0\.1:x"/],
  ["a=127.0.0.1:65536", /expected a port from 0 to 65535, found "65536"/],
  ["a=[::1:80", /Parsing the address "\[::1:80"/],
  ["a=::1:80", /"::1:80": expected an IPv6 .* brackets: write "\[::1\]:80"$/],
  ["a=::8080", /brackets: write "\[::\]:8080"$/],
  ["a=::1", /brackets: write "\[::1\]:PORT"$/],
  ["a=fe80::1%eth0:80", /brackets: write "\[fe80::1%eth0\]:80"$/],
  ["a=tcp:::1:80", /brackets: write "\[::1\]:80"$/],
  ["a=[::g]:80", /Parsing the address "\[::g\]:80"/],
  ["a=unix:", /Parsing the address "unix:"/],
  ["a=unix:@", /Parsing the address "unix:@"/],
  ["a=unix:a\0b", /Parsing the address "unix:a\\u0000b"/],
  ["a=systemd:80", /Parsing the address "systemd:80"/],
  ["a=fd:3", /Parsing the address "fd:3"/],
];

/** Sockets with one address. */
const SAME: readonly [string, string][] = [
  ["7", "127.0.0.1:7"],
  [":7", "http::7"],
  ["./x", "unix:x"],
  ["/x", "unix::/x"],
  ["127.0.0.1:7", "tcp:127.0.0.1:7"],
  ["[::1]:7", "[0:0::1]:7"],
  ["localhost:7", "LOCALHOST:7"],
  ["udp:127.0.0.1:7", "udp:127.0.0.1:7"],
  ["unix:x", "unix:/x"],
  ["unix:/a/../x", "unix:./x"],
  ["unix:@n", "unix:@n"],
];

async function assertRefused(
  args: readonly string[],
  expected: RegExp,
): Promise<void> {
  const { status, stdout, stderr } = await runMain(["run", ...args]);
  assert.deepEqual({ status, stdout }, { status: 2, stdout: "" }, stderr);
  assert.match(stderr.trimEnd(), expected);
  // One line, without a full stop, and without control characters.
  // deno-lint-ignore no-control-regex
  assert.match(stderr, /^listenfds run: [^\x00-\x1f\x7f-\x9f]+[^.\s]\n$/);
}

test("run refuses wrong arguments in one line", async () => {
  for (const [args, expected] of REFUSED) await assertRefused(args, expected);
});

test("run refuses sockets that it can't read in one line", async () => {
  for (const [text, expected] of REFUSED_SOCKETS) {
    await assertRefused([WEB, `--socket=${text}`, ...END], expected);
  }
});

test("run refuses two sockets with one address", async () => {
  for (const [first, second] of SAME) {
    await assertRefused(
      [`--socket=a=${first}`, `--socket=b=${second}`, ...END],
      /Binding "b" to ".*": "a" has this address: give each socket its own/,
    );
  }
});
