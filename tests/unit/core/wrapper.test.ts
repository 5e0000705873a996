import assert from "node:assert/strict";
import { test } from "node:test";
import { recognizeWrapper } from "../../../src/core/wrapper.ts";

/** Returns the name of the wrapper in a command line. */
function name(...command: string[]): string | undefined {
  return recognizeWrapper(command)?.name;
}

test("recognizeWrapper() recognizes package managers and shells by name", () => {
  for (
    const wrapper of [
      "npm",
      "npx",
      "pnpm",
      "yarn",
      "bunx",
      "sh",
      "bash",
      "dash",
      "zsh",
    ]
  ) {
    assert.equal(name(wrapper, "start"), wrapper);
    assert.equal(name(`/usr/local/bin/${wrapper}`, "start"), wrapper);
  }
});

test("recognizeWrapper() recognizes a script that a runtime runs", () => {
  const npm = "/usr/lib/node_modules/npm/bin";
  assert.equal(name("node", `${npm}/npm-cli.js`, "run", "start"), "npm");
  assert.equal(name("/usr/bin/node", `${npm}/npx-cli.js`, "x"), "npx");
  assert.equal(name("node", "/opt/pnpm/bin/pnpm.cjs", "start"), "pnpm");
  assert.equal(name("node", "/opt/yarn/bin/yarn.js", "start"), "yarn");
  assert.equal(name("node", "/opt/x/pnpm.mjs", "start"), "pnpm");
  assert.equal(name("node", "/opt/my tools/npm-cli.js", "start"), "npm");
});

test("recognizeWrapper() recognizes a process title in one word", () => {
  assert.equal(name("npm run start"), "npm");
  assert.equal(name("npm exec app", ""), "npm");
});

test("recognizeWrapper() recognizes a login shell and a shell's -c", () => {
  assert.equal(name("-bash"), "bash");
  assert.equal(name("/bin/sh", "-c", "cd /srv; node server.js"), "sh");
});

test("recognizeWrapper() returns the advice for each wrapper", () => {
  const advice = (wrapper: string) => recognizeWrapper([wrapper])?.advice;
  assert.match(advice("npm")!, /start the runtime itself/);
  assert.match(advice("npx")!, /node_modules\/\.bin/);
  assert.match(advice("sh")!, /exec/);
});

test("recognizeWrapper() returns undefined for other programs", () => {
  assert.equal(name(), undefined);
  assert.equal(name(""), undefined);
  assert.equal(name("node", "server.js"), undefined);
  assert.equal(name("node", "/srv/npm/server.js"), undefined);
  assert.equal(name("/opt/npm/bin/node", "server.js"), undefined);
  assert.equal(name("node", "server.js", "npm"), undefined);
  assert.equal(name("npm-check", "x"), undefined);
  assert.equal(name("node", "sh.js"), undefined);
  assert.equal(name("server", "npm"), undefined);
  assert.equal(name("/opt/npm tools/server"), undefined);
  assert.equal(name("fish"), undefined);
  assert.equal(name("systemd"), undefined);
  assert.equal(name("constructor", "__proto__"), undefined);
});
