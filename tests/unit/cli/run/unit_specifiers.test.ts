import assert from "node:assert/strict";
import os from "node:os";
import process from "node:process";
import { test } from "node:test";
import { unitSpecifiers } from "../../../../src/cli/run/unit_specifiers.ts";

/** Returns the values of some specifiers. */
function read(unit: string, letters: string): (string | undefined)[] {
  const values = unitSpecifiers(unit, `/etc/units/${unit}`, {
    HOME: "/home/me",
  });
  return [...letters].map((letter) => values[letter]);
}

test("unitSpecifiers() reads the name of a unit", () => {
  assert.deepEqual(read("web.socket", "nNpPiIjJf"), [
    "web.socket",
    "web",
    "web",
    "web",
    "",
    "",
    "web",
    "web",
    "/web",
  ]);
  assert.deepEqual(read("my-web@a-b\\x2dc.socket", "nNpPiIjJf"), [
    "my-web@a-b\\x2dc.socket",
    "my-web@a-b\\x2dc",
    "my-web",
    "my/web",
    "a-b\\x2dc",
    "a/b-c",
    "web",
    "web",
    "/a/b-c",
  ]);
  assert.deepEqual(read("x@\\xc3\\xa9.socket", "I"), ["é"]);
});

test("unitSpecifiers() reads the file, the user and the machine", () => {
  assert.deepEqual(read("web.socket", "yYhHU"), [
    "/etc/units/web.socket",
    "/etc/units",
    "/home/me",
    os.hostname(),
    String(process.getuid!()),
  ]);
});
