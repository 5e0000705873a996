import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runMain } from "./cli_io.ts";

const { version } = JSON.parse(
  readFileSync(new URL("../../../deno.json", import.meta.url), "utf8"),
);

test("main() shows the version of the package", async () => {
  for (const flag of ["--version", "-V"]) {
    assert.deepEqual(await runMain([flag]), {
      status: 0,
      stdout: `listenfds ${version}\n`,
      stderr: "",
    });
  }
});

test("main() shows help, with each verb and the exit statuses", async () => {
  for (const flag of ["--help", "-h", "help"]) {
    const { status, stdout, stderr } = await runMain([flag]);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
    assert.match(stdout, /^Usage: listenfds VERB/m);
    assert.match(stdout, /^ {2}run {2,}\S/m);
    assert.match(stdout, /^Exit status:$/m);
  }
});

test("main() shows the help of a verb, which names its options", async () => {
  for (
    const args of [
      ["run", "--help"],
      ["run", "--lazy", "-h", "--", "x"],
      ["help", "run"],
      ["--help", "run"],
      ["help", "run", "--help"],
    ]
  ) {
    const { status, stdout, stderr } = await runMain(args);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
    for (
      const option of [
        "--socket NAME=ADDRESS",
        "--from-unit FILE",
        "--watch[=GLOB …]",
        "--ignore GLOB",
        "--lazy",
        "--accept",
        "--env-file FILE",
        "--stop-timeout SECONDS",
      ]
    ) {
      assert.ok(stdout.includes(`  ${option} `), `${option} is missing`);
    }
    assert.match(stdout, /Exit status: /);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
  }
});

test("main() leaves --help behind -- to the command", async () => {
  const { status, stdout } = await runMain(["run", "--", "x", "--help"]);
  assert.deepEqual({ status, stdout }, { status: 2, stdout: "" });
});

test("main() refuses what is no verb", async () => {
  for (
    const [args, found] of [
      [[], "none"],
      [["walk"], '"walk"'],
      [["--", "run"], '"--"'],
      [["toString"], '"toString"'],
    ] as const
  ) {
    const { status, stdout, stderr } = await runMain(args);
    assert.deepEqual({ status, stdout }, { status: 2, stdout: "" });
    assert.match(stderr, /^listenfds: expected a verb \(run[^\n]*--help\n$/);
    assert.ok(stderr.includes(`found ${found}:`), stderr);
  }
});

test("main() suggests the verb that is meant", async () => {
  for (
    const [args, meant] of [
      [["rnu"], "run"],
      [["inspct"], "inspect"],
      [["Unit"], "unit"],
      [["help", "ru"], "run"],
    ] as const
  ) {
    const { status, stdout, stderr } = await runMain(args);
    assert.deepEqual({ status, stdout }, { status: 2, stdout: "" });
    assert.ok(stderr.endsWith(`: did you mean ${meant}?\n`), stderr);
  }
});

test("main() quotes a verb that it doesn't know", async () => {
  const { stderr } = await runMain(["\x1b[31m\u009b"]);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(stderr.trimEnd(), /[\x00-\x1f\x7f-\x9f]/);
});
