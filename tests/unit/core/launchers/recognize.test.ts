import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import fc from "fast-check";
import { skipPrefixes } from "../../../../src/core/launchers/prefixes.ts";
import {
  recognizeLauncher,
  recognizeStarted,
} from "../../../../src/core/launchers/recognize.ts";

/** Returns the name of the launcher in a command line, words separated by `|`. */
function name(command: string): string | undefined {
  return recognizeLauncher(command.split("|"))?.name;
}

const RECOGNIZED: readonly [string, readonly string[]][] = [
  // systemd-nspawn --as-pid2
  ["(sd-stubinit)", ["(sd-stubinit)"]],
  ["npm", [
    "npm|start",
    "/usr/local/bin/npm|run|start",
    "npm run start",
    "npm run start /x/y",
    "npm exec app|",
    "node|/usr/lib/node_modules/npm/bin/npm-cli.js|start",
    "node|--enable-source-maps|/usr/lib/node_modules/npm/bin/npm-cli.js|start",
    "node|--require|./x.js|--title|a b|/opt/my tools/npm-cli.js",
    "node-24|/x/npm-cli.js|start",
    "bun|/x/npm-cli.js|start",
    "bun|run|--smol|/x/npm-cli.js|start",
    "env|A=1|B=2|npm|start",
    "/usr/bin/env|npm|start",
    "env|-S|A=1 npm start",
    "nice|-n|5|npm|start",
    "nohup|taskset|-c|0|stdbuf|-oL|npm|start",
    "strace|-fD|-o|log|npm|start",
    "sh|-c|exec npm start",
    "sh|-c|cd /srv && exec env A=1 npm start",
    "bash|-c|npm start",
    "bash|-lc|exec 'npm' start",
    "busybox|sh|-c|exec npm start",
    'sh|-c|exec "$@"|sh|npm|start',
    "sh|-c|exec nice npm start",
    "sh|-c|exec sh -c 'exec npm start'",
  ]],
  ["npx", ["npx|app", "/usr/bin/node|/x/npx-cli.js|x"]],
  ["pnpm", ["node|/opt/pnpm/bin/pnpm.cjs|start", "node|/opt/x/pnpm.mjs"]],
  ["yarn", ["yarn", "node|/x/yarn.js", "node|.yarn/releases/yarn-4.1.0.cjs"]],
  ["corepack", ["node|/usr/lib/node_modules/corepack/dist/corepack.js|x"]],
  ["bunx", ["bunx|app"]],
  ["bun x", ["bun|x|app", "bun|--bun|x|app"]],
  ["bun run", ["bun|run|start", "bun|start", "bun|--silent|run|a:b"]],
  ["deno run", ["deno|run|-A|start"]],
  ["deno task", ["deno|task|start", "deno|-q|task|start"]],
  ["deno x", ["deno|x|app"]],
  ["dx", ["dx|app"]],
  ["node --run", ["node|--run|start", "node|--run=start"]],
  ["node --watch", ["node|--watch|a.mjs", "node|--no-warnings|--watch|a"]],
  ["node --watch-path", ["node|--watch-path=src|a.mjs"]],
  ["node inspect", ["node|inspect|a.mjs"]],
  ["deno --watch", [
    "deno|run|--watch|a",
    "deno|--watch=b|a",
    "deno|run|-A|--watch|a",
  ]],
  ["deno --watch-hmr", ["deno|run|--watch-hmr|a.ts"]],
  ["bun --watch", [
    "bun|--watch|a.ts",
    "bun|run|--watch|a.ts",
    "bun|--watch|run|a",
  ]],
  ["bun --hot", ["bun|--hot|a.ts"]],
  ["tsx", [
    "tsx|a.ts",
    "tsx|watch|a.ts",
    "node|node_modules/.bin/tsx|a.ts",
    "node|--import|x|node_modules/.bin/tsx|a.ts",
    "node|node_modules/tsx/dist/cli.mjs|a.ts",
    "node|/a/node_modules/.pnpm/tsx@4.0.0/node_modules/tsx/dist/cli.mjs|a",
    "deno|run|-A|npm:tsx@4|a.ts",
    "deno|npm:/tsx|a.ts",
  ]],
  ["nodemon", ["bun|node_modules/.bin/nodemon", "node|/usr/bin/nodemon|a.js"]],
  ["dotenvx", ["deno|-A|npm:@dotenvx/dotenvx@1/dotenvx", "dotenvx|run|--|x"]],
  ["dotenv", ["node|node_modules/dotenv-cli/cli.js", "node|x/.bin/dotenv"]],
  ["pm2", ["pm2|start", "PM2 v5.3.0: God Daemon (/root/.pm2)"]],
  ["next", ["next|dev", "node|node_modules/.bin/next|dev"]],
  ["vite-node", ["vite-node|--watch|a.ts"]],
  ["sh", [
    "/bin/sh|-c|cd /srv; node server.js",
    "sh|-c|node a.mjs; true",
    "sh|-c|node a.mjs",
    "sh|-ec|A=1 node a.mjs; true",
    "sh|-c|if x; then node a.mjs; fi",
    "sh|-c|exec 5>&1; node a.mjs",
    'sh|-c|"$@"; exit $?|sh|node|a.mjs',
    "sh|start.sh",
  ]],
  ["bash", ["-bash", "bash|-c|node a.mjs; y", "bash|-o|pipefail|-c|a; b"]],
  ["fish", ["fish|-c|node a; true"]],
  ["timeout", ["timeout|5|node|a", "nice|timeout|5|node|a"]],
  ["setsid", ["setsid|-w|node|a"]],
  ["strace", ["strace|-f|-o|log|node|a"]],
  ["env -i", ["env|-i|node|a", "env|-|node|a", "nice|env|-i|A=1|node|a"]],
  ["env", ["env|-u|LISTEN_PID|node|a", "env|LISTEN_FDS=1|node|a"]],
  ...("pnpx yarnpkg ts-node-dev forever concurrently cross-env make just turbo " +
    "nx lerna sudo su runuser volta volta-shim mise asdf fnm").split(" ")
    .map((each): [string, string[]] => [each, [each, `/opt/${each}|x`]]),
];

for (const [expected, commands] of RECOGNIZED) {
  test(`recognizeLauncher() recognizes ${expected}`, () => {
    for (const command of commands) {
      assert.equal(name(command), expected, command);
    }
  });
}

test("recognizeLauncher() returns undefined for programs that become the service", () => {
  for (
    const command of [
      "",
      "node|server.js",
      "node|server",
      "node|server.js|--watch",
      "node|server.js|npm",
      "node|--import|tsx|server.ts",
      "node|-e|code|npm-cli.js",
      "node|/srv/npm/server.js",
      "node|/srv/nodemon.js",
      "node|make.js",
      "node|sh.js",
      "node|node_modules/dotenv/x.js",
      "node|node_modules/turbo-stream/x.js",
      "/opt/npm/bin/node|server.js",
      "/opt/npm tools/server",
      "bun|run|server.ts",
      "bun|test",
      "deno|run|-A|server.ts|--watch",
      "deno|run|jsr:@a/b",
      "deno|test",
      "npm-check|x",
      "server|npm",
      "constructor|__proto__",
      "systemd",
      "python3|server.py",
      "env|A=1|node|server.js",
      "env|-u|HOME|node|server.js",
      "nice|-5|node|server.js",
      "ionice|-c3|node|server.js",
      "chrt|-o|0|node|server.js",
      "strace|-D|-o|log|node|server.js",
      "gosu|me|node|server.js",
      "sh|-c|exec node server.js",
      "sh|-c|node -v; A=1 exec node server.js",
      'sh|-c|cd /srv && exec "$@"|sh|node|server.js',
      "bash|-c|node server.js",
      "next|start",
      "vite-node|server.ts",
    ]
  ) assert.equal(name(command), undefined, command);
});

test("recognizeLauncher() returns what to write instead of a watcher", () => {
  const instead = (command: string) =>
    recognizeLauncher(command.split("|"))?.instead?.join(" ");
  assert.equal(
    instead("node|--watch|--no-warnings|a.mjs|x"),
    "node --no-warnings a.mjs x",
  );
  assert.equal(instead("node|--watch-path|src|a.mjs"), "node a.mjs");
  assert.equal(instead("deno|run|-A|--watch=b|a.ts"), "deno run -A a.ts");
  assert.equal(instead("bun|--watch|run|a.ts"), "bun run a.ts");
  assert.equal(instead("tsx|watch|a.ts"), undefined);
});

test("recognizeLauncher() tells watchers and conditions", () => {
  const of = (command: string) => recognizeLauncher(command.split("|"))!;
  for (const watcher of ["nodemon|a", "tsx|watch|a", "bun|--hot|a"]) {
    assert.equal(of(watcher).isWatcher, true, watcher);
  }
  assert.equal(of("tsx|a.ts").isWatcher, undefined);
  assert.equal(of("bun|--hot|a").condition, "in-units");
  assert.equal(of("bun|--watch|a").condition, undefined);
  assert.equal(of("bun|run|start").condition, "unless-file");
  assert.equal(of("sh|-c|cat <&3").condition, "unless-exec");
  assert.equal(of("sh|-c|node a; b").condition, undefined);
});

test("recognizeStarted() takes every shell for one, whatever its script", () => {
  assert.equal(recognizeStarted(["sh", "-c", "exec node a"])?.name, "sh");
  assert.equal(recognizeStarted(["sh", "-c", "npm start; x"])?.name, "npm");
  assert.equal(recognizeStarted(["node", "a.js"]), undefined);
  assert.equal(recognizeStarted([]), undefined);
});

const PREFIX = fc.constantFrom(
  ["env"],
  ["/usr/bin/env", "A=1", "B=x y"],
  ["env", "-u", "HOME"],
  ["nice"],
  ["nice", "-n", "5"],
  ["ionice", "-c", "3"],
  ["nohup"],
  ["stdbuf", "-o", "L"],
  ["taskset", "3"],
  ["chrt", "-r", "5"],
  ["setpriv", "--reuid", "me", "--clear-groups"],
  ["strace", "-D", "-e", "trace=none"],
);

/** Words that are no options, and no assignments. */
const WORD = fc.stringMatching(/^[a-z./][\w./ -]{0,12}$/);

test("skipPrefixes() removes any sequence of prefixes, and nothing else", () => {
  fc.assert(fc.property(
    fc.array(PREFIX, { maxLength: 5 }),
    fc.array(WORD, { maxLength: 4 }),
    (prefixes, rest) => {
      const command = ["/srv/server", ...rest];
      const { words, prefixes: skipped, obstacle } = skipPrefixes([
        ...prefixes.flat(),
        ...command,
      ]);
      assert.deepEqual(words, command);
      assert.deepEqual(skipped.map((prefix) => prefix.words), prefixes);
      assert.equal(obstacle, undefined);
    },
  ));
});

test("recognizeLauncher() sees the same through prefixes and options of a runtime", () => {
  fc.assert(fc.property(
    fc.array(PREFIX, { maxLength: 4 }),
    fc.constantFrom(
      ...RECOGNIZED.flatMap(([, commands]) => commands)
        .filter((command) => !command.startsWith("-")),
    ),
    (prefixes, command) => {
      const words = command.split("|");
      const prefixed = recognizeLauncher([...prefixes.flat(), ...words]);
      assert.equal(prefixed?.name, recognizeLauncher(words)?.name);
    },
  ));
  const flag = fc.constantFrom(
    ["--enable-source-maps"],
    ["--require", "./x.js"],
    ["--import=x"],
    ["-C", "a"],
    ["--title", "npm"],
  );
  fc.assert(fc.property(fc.array(flag, { maxLength: 5 }), (flags) => {
    const script = "node_modules/.bin/nodemon";
    assert.equal(
      recognizeLauncher(["node", ...flags.flat(), script])?.name,
      "nodemon",
    );
    assert.equal(
      recognizeLauncher(["node", ...flags.flat(), "a.js", "npm"]),
      undefined,
    );
  }));
});

test("recognizeLauncher() takes any words", () => {
  fc.assert(fc.property(
    fc.array(fc.oneof(
      fc.string(),
      fc.constantFrom(
        "sh",
        "-c",
        "exec",
        "env",
        "-S",
        "node",
        "npm",
        "--",
        "'",
      ),
    )),
    (words) => void recognizeLauncher(words),
  ));
});

test("recognizeLauncher() takes linear time", {
  skip: process.env["LISTENFDS_EMULATED"] !== undefined &&
    "needs a processor of its own",
}, () => {
  const time = (script: string) => {
    const start = performance.now();
    recognizeLauncher(["sh", "-c", script]);
    return performance.now() - start;
  };
  for (
    const part of ["'", '"', "\\", "a=", "; ", "exec ", "$@ ", "# ", "npm:"]
  ) {
    assert.ok(time(part.repeat(200_000)) < 5000, part);
  }
});
