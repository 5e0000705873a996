/** No option brings a raw control character onto a terminal or into a log. */

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { type Outcome, runMain } from "./cli_io.ts";

const skip = process.platform === "win32" && "paths can't have all characters";

/** Characters that move a cursor, ring, forge lines or reorder text. */
const CONTROLS = "\x1b[31m\x07\n\r\x7f\x85\x9b\u2028\u2029\u202e\u200b\ufeff";
const ODD = `odd${CONTROLS}end`;

/** Checks all that was written: the number of lines, and no raw character. */
function assertClean({ stdout, stderr }: Outcome, maxErrorLines = 1): void {
  for (const text of [stdout, stderr]) {
    assert.doesNotMatch(
      text.replaceAll("\n", ""),
      /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u,
    );
    assert.doesNotMatch(text, /^end/m, "a forged line");
  }
  assert.ok(stderr.split("\n").length <= maxErrorLines + 1, stderr);
}

test("no argument of a verb is written raw", { skip }, async () => {
  const web = "--socket=web=127.0.0.1:0";
  const command = ["--", "true"];
  const attempts: readonly (readonly string[])[] = [
    [ODD],
    [`--${ODD}`],
    ...["run", "inspect", "unit"].flatMap((verb) => [
      [verb, ODD],
      [verb, `--${ODD}`],
      [verb, `--${ODD}=${ODD}`],
      [verb, `-${ODD}`],
    ]),
    ...[
      ...["socket", "from-unit", "env-file", "watch", "stop-timeout", "lazy"],
      "accept",
    ].flatMap((option) => [
      ["run", `--${option}=${ODD}`, ...command],
      ["run", web, `--${option}`, ODD, ...command],
    ]),
    ...["", "tcp:", "udp:", "unix:", "unix:@", "[", "systemd:"].map((start) => [
      "run",
      `--socket=web=${start}${ODD}`,
      "--socket=again=127.0.0.1:1",
      "--socket=same=127.0.0.1:1",
      ...command,
    ]),
    ["run", `--socket=${ODD}=127.0.0.1:0`, ...command],
    ["run", web, "--", ODD],
    ["run", web, "--", `/${ODD}/${ODD}`],
    ["unit", ODD, web, ...command],
    ...[
      ...["backlog", "socket-mode", "socket-group", "description", "user"],
      ...["env-file", "working-directory", "output", "accept"],
    ].map((option) => [
      ...["unit", "hello", "--socket=web=unix:/run/x", `--${option}=${ODD}`],
      ...["--", process.execPath, import.meta.filename!],
    ]),
    ["unit", "hello", `--socket=web=unix:/run/${ODD}`, "--", "true"],
    ["unit", "hello", `--socket=${ODD}=127.0.0.1:1`, "--", "true"],
    ["unit", "hello", "--socket=web=127.0.0.1:1", "--", ODD],
    ["unit", "hello", "--socket=web=127.0.0.1:1", "--", "true", ODD],
    ["unit", "hello", "--socket=web=127.0.0.1:1", "--", "true", `./${ODD}`],
  ];
  for (const args of attempts) assertClean(await runMain(args), 3);
});

test("no content of a unit or its name is written raw", { skip }, async () => {
  const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "listenfds-"));
  try {
    const odd = ODD.replaceAll("\n", "");
    const unit = `${odd}.socket`;
    const contents = [
      odd,
      `[${odd}]\nA=b`,
      `[Socket]\n${odd}`,
      `[Socket]\n${odd}=x\n[${odd}]\nA=b`,
      `[Socket]\nListenStream=${odd}`,
      `[Socket]\nListenStream=/missing/${odd}/x`,
      `[Socket]\nListenStream=1\nFileDescriptorName=${odd}:`,
      `[Socket]\nListenStream=1\nSymlinks=${odd}`,
      `[Socket]\nListenStream=1\nBacklog=${odd}`,
      `[Socket]\nListenStream=%${odd}`,
      `[Socket]\n${odd}=x\nListenStream=/dev/null/${odd}/x`,
    ];
    for (const content of contents) {
      for (const name of [unit, "x.socket"]) {
        fs.writeFileSync(path.join(cwd, name), content);
        const args = ["run", `--from-unit=${name}`, "--", "true"];
        assertClean(await runMain(args, { cwd }), 3);
      }
    }
    fs.mkdirSync(path.join(cwd, odd));
    for (const name of [unit, odd, "missing"]) {
      for (const option of ["env-file", "from-unit"]) {
        const args = ["run", `--${option}=${name}`, "--", "true"];
        assertClean(await runMain(args, { cwd: path.join(cwd, odd) }), 3);
      }
    }
  } finally {
    fs.rmSync(cwd, { recursive: true });
  }
});

test("unit writes no raw control character", { skip }, async () => {
  const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "listenfds-"));
  try {
    const output = path.join(cwd, ODD);
    fs.mkdirSync(output);
    const args = ["unit", "hello", "--socket=web=127.0.0.1:1"];
    const command = ["--", "/bin/sh", ODD];
    // /bin/sh may be refused as a launcher; the error is clean, too.
    assertClean(await runMain([...args, ...command]), 3);
    const program = path.join(cwd, "program");
    fs.writeFileSync(program, "", { mode: 0o755 });
    const written = await runMain([...args, "--", program, ODD]);
    assert.equal(written.status, 0, written.stderr);
    assertClean(written, 5);
    const listed = await runMain(
      [...args, `--output=${output}`, "--", program, ODD],
    );
    assert.equal(listed.status, 0, listed.stderr);
    assertClean(listed, 5);
    assert.equal(listed.stdout.split("\n").length, 3);
    assert.deepEqual(fs.readdirSync(output).sort(), [
      "hello.service",
      "hello.socket",
    ]);
  } finally {
    fs.rmSync(cwd, { recursive: true });
  }
});

test("inspect writes no raw control character", { skip }, async () => {
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) {
    const env = {
      LISTEN_PID: String(process.pid),
      LISTEN_FDS: "1",
      LISTEN_FDNAMES: "web",
      [name]: ODD,
    };
    for (const args of [["inspect"], ["inspect", "--json"]]) {
      const before = { ...process.env };
      Object.assign(process.env, env);
      try {
        assertClean(await runMain(args, { env }), 0);
      } finally {
        for (const variable of Object.keys(env)) {
          if (before[variable] === undefined) delete process.env[variable];
        }
      }
    }
  }
});
