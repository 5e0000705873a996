import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  expandSpecifiers,
  nameSpecifiers,
  parseUnitFile,
} from "../../../../../src/cli/shared/systemd/unit_file.ts";
import { UsageError } from "../../../../../src/cli/shared/verb.ts";

/** The assignments as `Section.Key=Value @line`. */
function read(...lines: string[]): string[] {
  return parseUnitFile(lines.join("\n"), "x.socket").map((
    { section, key, value, place },
  ) => `${section}.${key}=${value} @${place.replace("x.socket:", "")}`);
}

test("parseUnitFile() reads sections, assignments and comments", () => {
  assert.deepEqual(
    read(
      "# a comment",
      "  ; another",
      "",
      "[Unit]",
      "Description=A = B # not a comment ; nor this",
      "[Socket]",
      "  ListenStream =  /run/a b.sock  ",
      "ListenStream=",
      'FileDescriptorName="quoted"',
      "\tBacklog=1\r",
    ),
    [
      "Unit.Description=A = B # not a comment ; nor this @5",
      "Socket.ListenStream=/run/a b.sock @7",
      "Socket.ListenStream= @8",
      'Socket.FileDescriptorName="quoted" @9',
      "Socket.Backlog=1 @10",
    ],
  );
});

test("parseUnitFile() puts lines together that go on", () => {
  assert.deepEqual(
    read(
      "[Socket]",
      "Symlinks=/a \\",
      "# a comment in between",
      "  ; another",
      "   /b\\",
      "/c",
      "Backlog=1",
      "A=\\\\",
      "B=x\\",
      "",
      "C=1\\",
    ),
    [
      "Socket.Symlinks=/a  /b /c @2",
      "Socket.Backlog=1 @7",
      "Socket.A=\\\\ @8",
      "Socket.B=x @9",
      "Socket.C=1 @11",
    ],
  );
});

test("parseUnitFile() leaves out what systemd leaves to others", () => {
  assert.deepEqual(
    read("[X-Mine]", "A=1", "[Socket]", "X-B=2", "C=3"),
    ["Socket.C=3 @5"],
  );
});

test("parseUnitFile() refuses what is no unit file, and says where", () => {
  const cases: readonly [string, RegExp][] = [
    ["A=1", /^Reading x.socket:1: expected a section before the first/],
    [
      "[Socket",
      /^Reading x.socket:1: expected a section, such as \[Socket\], fou/,
    ],
    ["[]", /expected a section, such as/],
    ["[a]b", /expected a section, such as/],
    [
      "[Socket]\n\nwhat",
      /^Reading x.socket:3: expected SETTING=VALUE, found "w/,
    ],
    ["[Socket]\n=1", /expected SETTING=VALUE, found "=1"/],
  ];
  for (const [text, expected] of cases) {
    assert.throws(() => parseUnitFile(text, "x.socket"), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, expected);
      return true;
    });
  }
});

test("parseUnitFile() throws a UsageError only, whatever the text", () => {
  const part = fc.constantFrom("[", "]", "=", "\\", "\n", "#", " ", "a", "%");
  fc.assert(fc.property(fc.string({ unit: part }), (text) => {
    try {
      parseUnitFile(text, "x");
    } catch (error) {
      assert.ok(error instanceof UsageError);
    }
  }));
});

test("expandSpecifiers() expands what is known, and names what isn't", () => {
  const specifiers = { t: "/run", ...nameSpecifiers("web@1.socket") };
  assert.equal(
    expandSpecifiers("%t/%p-%i.%n.%N.100%%", specifiers, "x:1"),
    "/run/web-1.web@1.socket.web@1.100%",
  );
  assert.deepEqual(nameSpecifiers("a.b.socket"), {
    n: "a.b.socket",
    N: "a.b",
    p: "a.b",
    i: "",
  });
  for (const value of ["%Z", "a%", "%toString%v"]) {
    assert.throws(
      () => expandSpecifiers(value, { t: "", o: "" }, "x:1"),
      /^UsageError: Reading x:1: the specifier "%[Zv]?" is not supported here/,
    );
  }
});
