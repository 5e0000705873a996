/** Every parser takes time in proportion to its input. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { parseListenfdsMap } from "../../src/preload/listenfds_map.ts";
import { parseSeconds } from "../../src/core/systemd/time_span.ts";
import { formatAddress, parseIpv4, parseIpv6 } from "../../src/core/address.ts";
import { parseListenEnvironment } from "../../src/core/environment.ts";
import { quote } from "../../src/core/errors.ts";
import {
  parseBindAddress,
  parseListenAddress,
} from "../../src/core/listen_address.ts";
import { namesFromMap } from "../../src/core/name_map.ts";
import { decodeSockaddr } from "../../src/core/sockaddr.ts";
import { recognizeStarted } from "../../src/core/launchers/recognize.ts";
import { parseEpollEntries, parseFdinfo } from "../../src/linux/procfs.ts";
import { isAnyWaiting } from "../../src/cli/activator/proc_waiting.ts";
import { readEnvFiles } from "../../src/cli/run/env_file.ts";
import { compileGlob } from "../../src/cli/run/glob.ts";
import { parseListenSetting } from "../../src/cli/run/listen_setting.ts";
import { readSocketUnit } from "../../src/cli/run/socket_unit.ts";
import { parseOptions } from "../../src/cli/shared/options.ts";
import { parseSocketSpec } from "../../src/cli/shared/socket_spec.ts";
import {
  expandSpecifiers,
  nameSpecifiers,
  parseUnitFile,
} from "../../src/cli/shared/systemd/unit_file.ts";
import {
  commandLine,
  plainValue,
} from "../../src/cli/shared/systemd/unit_text.ts";
import { parseMode, parseSize } from "../../src/cli/shared/systemd/values.ts";

/** Size of the smaller inputs in characters. */
const SIZE = 16 * 1024;
/** Inputs are doubled three times, so that other work counts for less. */
const DOUBLINGS = 3;
/** A shorter time is lost among what else the machine does. */
const MEASURABLE_MS = 30;

/** Texts of a size that have made a parser slow, or could. */
const TEXTS: readonly ((size: number) => string)[] = [
  ..."\\ % \" ' : . [ ] { } @ # - = $ 0 a / , *".split(" "),
  ...[" ", "\t", "\n", "\r", "\0", "\x1b", "\ufffd", "é"],
  ...["\\\n", " \\\n", "a=\\\n", "#\n", "\n[", "[a]\n", "A=b\n", "A='\n"],
  ...['A="\n', "A=`\n", '"a', "a ", "a:", "1.", "1min ", "::", "[::", "%%"],
  ...["${a", "{a,", "**/", "*a", "[a", "../", "--", "-a ", " a\\", "\\n"],
].map((part) => (size: number) => part.repeat(Math.floor(size / part.length)));

/** Ignores errors: they take no longer than success may. */
function attempt(parse: () => unknown): void {
  try {
    parse();
  } catch {
    // An expected error, such as a SyntaxError.
  }
}

const assignment = (value: string) => ({
  section: "Socket",
  key: "ListenStream",
  value,
  place: "x.socket:1",
});

const CONTEXT = { specifiers: {}, hasIpv6: true, ipv6OnlyByDefault: false };

/** The parsers of a text, each with text around the growing part. */
const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  parseListenAddress: (text) => {
    for (const start of ["", "systemd:", "fd:", "tcp:", "tcp:[", "unix:"]) {
      attempt(() => parseListenAddress(`${start}${text}`));
      attempt(() => parseListenAddress(`${start}${text}x:1`));
    }
  },
  parseBindAddress: (text) => parseBindAddress(`${text}x`),
  parseSocketSpec: (text) => {
    attempt(() => parseSocketSpec(`${text}=x`));
    attempt(() => parseSocketSpec(`x=${text}`));
    attempt(() => parseSocketSpec(text));
  },
  parseIpv4,
  parseIpv6: (text) => [parseIpv6(text), parseIpv6(`::${text}x`)],
  parseListenEnvironment: (text) => {
    for (const name of ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS"]) {
      attempt(() =>
        parseListenEnvironment(
          { LISTEN_PID: "1", LISTEN_FDS: "1", [name]: text },
          { pid: 1, pidfdId: 1n },
        )
      );
    }
    parseListenEnvironment(
      { LISTEN_PID: "1", LISTEN_FDS: "1", LISTEN_FDNAMES: text },
      { pid: 1 },
    );
  },
  recognizeStarted: (text) => [
    recognizeStarted([text, text]),
    recognizeStarted(["sh", "-c", text]),
    recognizeStarted(["env", "-S", text]),
    recognizeStarted(text.split("a")),
  ],
  parseFdinfo: (text) => parseFdinfo(`flags:\t${text}x`),
  parseEpollEntries: (text) =>
    parseEpollEntries(
      `tfd: 3 events: ${text} data: ${text}x`,
      new Map([[3, 1n]]),
    ),
  isAnyWaiting: (text) =>
    isAnyWaiting(
      [{ inode: "1", path: undefined }, { inode: "2", path: "/x" }],
      () => `${text} 02 0 /y`,
    ),
  parseListenfdsMap: (text) => {
    for (const start of ["", "web=", "web=/", "web=[", "a=1,"]) {
      attempt(() => parseListenfdsMap(`${start}${text}x`));
      attempt(() => parseListenfdsMap(`${start}${text}=1,${text}=2`));
    }
  },
  parseUnitFile: (text) => {
    attempt(() => parseUnitFile(`[Socket]\n${text}x`, "x.socket"));
    attempt(() => parseUnitFile(`[Socket]\nA=x${text}x${text}`, "x.socket"));
  },
  expandSpecifiers: (text) => expandSpecifiers(text, { a: "b" }, "x:1"),
  nameSpecifiers: (text) => nameSpecifiers(`${text}.socket`),
  parseListenSetting: (text) => {
    for (const start of ["", "[", "/", "@", "1"]) {
      attempt(() => parseListenSetting(assignment(`${start}${text}x`), "::"));
    }
  },
  values: (text) => [
    parseSize(`1${text}x`),
    parseSeconds(`1${text}x`),
    parseSeconds(text),
    parseMode(text),
  ],
  readSocketUnit: (text) => {
    for (const key of ["Symlinks", "FileDescriptorName", "Backlog", "Mark"]) {
      attempt(() =>
        readSocketUnit("x.socket", [
          { ...assignment(`/${text}`), key },
          assignment("80"),
        ], CONTEXT)
      );
    }
  },
  compileGlob: (text) => {
    compileGlob(text);
    // As long as a path can be, because steps are tried for each character.
    const matches = compileGlob(`/${text.slice(0, 64)}x{a,b*}**/*`);
    return matches(`/${text.slice(0, 16_384)}y`);
  },
  parseOptions: (text) => {
    const kinds = { socket: "list", watch: "optional-list" } as const;
    attempt(() => parseOptions("run", kinds, [text, `--${text}`]));
    const words = text.match(/[^]{1,8}/g)!;
    attempt(() => parseOptions("run", kinds, ["--watch=x", ...words]));
    attempt(() => parseOptions("run", kinds, ["--", ...words]));
  },
  commandLine: (text) => [
    commandLine(["/x", text]),
    commandLine(["/x", ...text.match(/[^]{1,8}/g)!]),
  ],
  plainValue: (text) => [
    plainValue(`x${text}x`, "value"),
    plainValue(text, "value"),
  ],
  quote,
};

/** Limit of measurements: a busy machine can make some of them longer. */
const MAX_REPETITIONS = 5;

/** Returns the shortest of several times in milliseconds, or one in a limit. */
function timeOf(run: () => void, limit = 0): number {
  let shortest = Infinity;
  for (let repetition = 0; repetition < MAX_REPETITIONS; repetition++) {
    const start = performance.now();
    run();
    shortest = Math.min(shortest, performance.now() - start);
    if (shortest <= limit) break;
  }
  return shortest;
}

/** Fails if doubling the input more than triples the time. */
function assertLinear(
  name: string,
  size: number,
  prepare: (size: number) => () => void,
): void {
  const before = timeOf(prepare(size), MEASURABLE_MS);
  const limit = 3 ** DOUBLINGS * Math.max(before, MEASURABLE_MS);
  const factor = 2 ** DOUBLINGS;
  const after = timeOf(prepare(factor * size), limit);
  assert.ok(
    after <= limit,
    `${name}: ${size} took ${before} ms, and ${factor} times that ${after} ms`,
  );
}

/** Emulators compile code while it runs, which takes most of the time. */
const measured = {
  timeout: 120_000,
  skip: process.env["LISTENFDS_EMULATED"] !== undefined &&
    "needs a processor of its own",
};

for (const [name, parse] of Object.entries(PARSERS)) {
  test(`${name} takes linear time`, measured, () => {
    for (const text of TEXTS) {
      assertLinear(`${name} of ${quote(text(8))}`, SIZE, (size) => {
        const input = text(size);
        return () => attempt(() => parse(input));
      });
    }
  });
}

test("readEnvFiles() takes linear time", measured, () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "listenfds-"));
  try {
    for (const text of TEXTS) {
      assertLinear(`env file of ${quote(text(8))}`, SIZE, (size) => {
        const file = path.join(directory, "env");
        fs.writeFileSync(file, `A=${text(size)}x`);
        return () => attempt(() => readEnvFiles([file]));
      });
    }
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});

test("namesFromMap() takes linear time", measured, () => {
  for (const kind of ["ipv4", "unix", "unix-abstract"] as const) {
    assertLinear(`map of ${kind}`, 1000, (size) => {
      const indexes = Array.from({ length: size }, (_, index) => index);
      const map = Object.fromEntries(
        indexes.map((index) => [
          `name${index}`,
          kind === "ipv4"
            ? { port: 1 + index }
            : { path: `${kind === "unix" ? "/" : "@"}${index}` },
        ]),
      );
      const addressOf = (index: number) => {
        switch (kind) {
          case "ipv4":
            return { kind, hostname: "127.0.0.1", port: 1 + index };
          case "unix":
            return { kind, path: `/${index}` };
          case "unix-abstract":
            return { kind, name: String(index) };
        }
      };
      const inspector = {
        inspect: (fds: readonly number[]) =>
          fds.map((fd) => ({
            kind: "stream-listener" as const,
            address: addressOf(fd),
          })),
        inspectPath: () => null,
      };
      return () => {
        const names = namesFromMap(indexes, map, inspector);
        assert.equal(names.at(-1), `name${size - 1}`);
      };
    });
  }
});

test("decodeSockaddr() takes linear time", measured, () => {
  for (const byte of [0, 1, 0x2f, 0xff]) {
    assertLinear(`sockaddr of ${byte}`, SIZE, (size) => {
      const bytes = new Uint8Array(size).fill(byte);
      return () => {
        for (const family of [1, 2, 10, 16, 40]) {
          bytes[0] = family;
          bytes[1] = 0;
          attempt(() => formatAddress(decodeSockaddr(bytes)));
        }
      };
    });
  }
});

test("parseUnitFile() limits a line as systemd does", () => {
  const limit = 1024 * 1024;
  const line = (bytes: number) => `A=${"x".repeat(bytes - 2)}`;
  assert.equal(
    parseUnitFile(`[Socket]\n${line(limit)}\n`, "x.socket").length,
    1,
  );
  for (
    const text of [
      line(limit + 1),
      `A=${"é".repeat(limit / 2)}`,
      `A=\\\n${"x\\\n".repeat(limit / 2)}`,
    ]
  ) {
    assert.ok(Buffer.byteLength(text) > limit);
    assert.throws(
      () => parseUnitFile(`[Socket]\n${text}\n`, "x.socket"),
      /^UsageError: Reading x\.socket:2: expected a line of at most 1048576 b/,
    );
  }
});
