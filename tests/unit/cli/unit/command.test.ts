import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "../../../../src/cli/shared/disk.ts";
import { serviceCommand } from "../../../../src/cli/unit/command.ts";
import { hiddenPaths, isInHome } from "../../../../src/cli/unit/paths.ts";
import { UsageError } from "../../../../src/cli/shared/verb.ts";
import { assertMessage } from "../../helpers.ts";

/** A file: its permissions, its first bytes, or where a link leads. */
interface FakeFile {
  readonly mode?: number;
  readonly start?: string;
  readonly link?: string;
}

/** The directories of a made-up machine with permissions of their own. */
const DIRECTORIES: Readonly<Record<string, number>> = { "/root": 0o700 };

const PROGRAM = { mode: 0o755, start: "\x7fELF" };

const FILES: Readonly<Record<string, FakeFile>> = {
  "/usr/bin/deno": PROGRAM,
  "/usr/bin/bun": PROGRAM,
  "/usr/bin/node": { link: "/usr/bin/node-24" },
  "/usr/bin/node-24": PROGRAM,
  "/usr/bin/python3": PROGRAM,
  "/usr/bin/bunx": { link: "/usr/bin/bun" },
  "/usr/bin/sh": { link: "/usr/bin/dash" },
  "/usr/bin/dash": PROGRAM,
  "/usr/bin/npm": { link: "/usr/lib/npm/bin/npm-cli.js" },
  "/usr/lib/npm/bin/npm-cli.js": {
    mode: 0o755,
    start: "#!/usr/bin/env node\n",
  },
  "/usr/bin/not-executable": { mode: 0o644 },
  "/usr/bin/env": PROGRAM,
  "/usr/bin/nice": PROGRAM,
  "/usr/bin/timeout": PROGRAM,
  "/usr/bin/setsid": PROGRAM,
  "/usr/bin/make": PROGRAM,
  "/opt/node": PROGRAM,
  "/tmp/bun-node-0-a7733435c/bun": { link: "/usr/bin/bun" },
  "/tmp/bun-node-0-a7733435c/node": { link: "/usr/bin/bun" },
  "/srv/app/data.json": { mode: 0o644 },
  "/srv/app/package.json": { start: '{"scripts": {"dev": "x"}}' },
  "/srv/app/deno.json": { mode: 0o644, start: '{"tasks": {"serve": "x"}}' },
  "/srv/app/node_modules/.bin/tsx": {
    link: "/srv/app/node_modules/tsx/dist/cli.mjs",
  },
  "/srv/app/node_modules/tsx/dist/cli.mjs": {
    mode: 0o755,
    start: "#!/usr/bin/env node\n",
  },
  "/srv/app/linked.js": { link: "/srv/app/node_modules/tsx/dist/cli.mjs" },
  "/srv/app/start.sh": {
    mode: 0o755,
    start: "#!/bin/sh\ncd /srv\nnode main.ts\n",
  },
  "/srv/app/exec.sh": {
    mode: 0o755,
    start: "#!/bin/sh\ncd /srv\nexec node main.ts\n",
  },
  "/srv/app/watching": {
    mode: 0o755,
    start: "#!/usr/bin/env -S deno run --watch\n",
  },
  "/shims/node": { mode: 0o755, start: "#!/bin/sh\nexec asdf exec node" },
  "/npm/bin/deno": { link: "/npm/lib/deno/bin.cjs" },
  "/npm/lib/deno/bin.cjs": { mode: 0o755, start: "#!/usr/bin/env node\n" },
  "/npm/lib/deno/deno": PROGRAM,
  "/volta/node": { link: "/volta/volta-shim" },
  "/volta/volta-shim": PROGRAM,
  "/srv/app/main.ts": { mode: 0o644 },
  "/srv/app/node_modules/.bin/app": {
    mode: 0o755,
    start: "#!/usr/bin/env -S node --enable-source-maps\nimport x",
  },
  "/srv/app/tool": { mode: 0o755, start: "#!/usr/bin/python3\n" },
  "/srv/secret.ts": { mode: 0o600 },
  "/root/main.ts": { mode: 0o644 },
  "/srv/linked.ts": { link: "/root/main.ts" },
};

const disk: Disk = {
  status(path) {
    const file = FILES[disk.realPath(path)];
    const isDirectory = file === undefined &&
      Object.keys(FILES).some((each) => each.startsWith(`${path}/`));
    return file === undefined && !isDirectory ? undefined : {
      isFile: file !== undefined,
      isDirectory,
      mode: file?.mode ?? DIRECTORIES[path] ?? 0o755,
    };
  },
  isExecutable: (path) => ((FILES[disk.realPath(path)]?.mode ?? 0) & 1) !== 0,
  realPath: (path) => FILES[path]?.link ?? path,
  start: (path) => FILES[disk.realPath(path)]?.start ?? "",
};

const PLACE = { disk, cwd: "/srv/app", searchPath: "/nowhere:/usr/bin" };

/** The words of a service's command. */
function words(typed: string, ...denoPermissions: string[]): string {
  return serviceCommand(typed.split(" "), PLACE, denoPermissions).words
    .join(" ");
}

const ENV = "--allow-env=LISTEN_PID,LISTEN_PIDFDID,LISTEN_FDS,LISTEN_FDNAMES";

const cases: [string, string][] = [
  ["node main.ts", "/usr/bin/node /srv/app/main.ts"],
  ["node-24 ./main.ts a ./b", "/usr/bin/node-24 /srv/app/main.ts a ./b"],
  [
    "node --import ./main.ts --env-file=x -C a main.ts",
    "/usr/bin/node --import /srv/app/main.ts --env-file=/srv/app/x -C a " +
    "/srv/app/main.ts",
  ],
  ["node --import pkg main.ts", "/usr/bin/node --import pkg /srv/app/main.ts"],
  ["node -e code", "/usr/bin/node -e code"],
  ["node -- main.ts -x", "/usr/bin/node /srv/app/main.ts -x"],
  ["bun main.ts", "/usr/bin/bun --no-install /srv/app/main.ts"],
  ["bun run main.ts", "/usr/bin/bun run --no-install /srv/app/main.ts"],
  [
    "bun --install=auto main.ts",
    "/usr/bin/bun --install=auto /srv/app/main.ts",
  ],
  [
    "bun --smol --preload ./main.ts main.ts",
    "/usr/bin/bun --no-install --smol --preload /srv/app/main.ts " +
    "/srv/app/main.ts",
  ],
  [
    "deno main.ts",
    `/usr/bin/deno run --no-prompt --cached-only ${ENV} /srv/app/main.ts`,
  ],
  [
    "deno run -A main.ts -x",
    "/usr/bin/deno run --no-prompt --cached-only -A /srv/app/main.ts -x",
  ],
  [
    "deno run -RE --config deno.json main.ts",
    "/usr/bin/deno run --no-prompt --cached-only -RE --config " +
    "/srv/app/deno.json /srv/app/main.ts",
  ],
  [
    "deno run --cached-only --allow-env=A main.ts",
    `/usr/bin/deno run --no-prompt ${ENV} --cached-only --allow-env=A ` +
    "/srv/app/main.ts",
  ],
  [
    "deno run -P main.ts",
    "/usr/bin/deno run --no-prompt --cached-only -P /srv/app/main.ts",
  ],
  [
    "deno run jsr:@a/b",
    `/usr/bin/deno run --no-prompt --cached-only ${ENV} jsr:@a/b`,
  ],
  ["python3 ./main.ts", "/usr/bin/python3 ./main.ts"],
  [
    "node_modules/.bin/app --port",
    "/usr/bin/node --enable-source-maps /srv/app/node_modules/.bin/app --port",
  ],
  ["./tool x", "/srv/app/tool x"],
  ["env node main.ts", "/usr/bin/node /srv/app/main.ts"],
  ["env A=b C=%n node main.ts x", "/usr/bin/node /srv/app/main.ts x"],
  ["env PATH=/opt node main.ts", "/opt/node /srv/app/main.ts"],
  [
    "nice -n 5 env A=b node main.ts",
    "/usr/bin/nice -n 5 /usr/bin/node /srv/app/main.ts",
  ],
  ["./exec.sh x", "/srv/app/exec.sh x"],
  ["sh exec.sh", "/usr/bin/sh exec.sh"],
  [
    "deno -q run -A main.ts",
    "/usr/bin/deno run --no-prompt --cached-only -q -A /srv/app/main.ts",
  ],
];

for (const [typed, expected] of cases) {
  test(`serviceCommand() of ${typed}`, () => {
    assert.equal(words(typed), expected);
  });
}

test("serviceCommand() keeps the variables that env sets", () => {
  const { environment } = serviceCommand(
    ["env", "A=b c", "nice", "env", "--", "A=", "B=%n", "node", "main.ts"],
    PLACE,
    [],
  );
  assert.deepEqual(environment, ["A=b c", "A=", "B=%n"]);
});

test("serviceCommand() gives Deno the permissions that it lacks", () => {
  const wanted = ["--allow-ffi", "--allow-net", "--allow-read=/tmp"];
  const flags = (typed: string) =>
    words(typed, ...wanted, "--unstable-net")
      .replace("/usr/bin/deno run --no-prompt --cached-only ", "")
      .replace(ENV, "ENV").replace(" /srv/app/main.ts", "");
  assert.equal(
    flags("deno main.ts"),
    "ENV --allow-ffi --allow-net --allow-read=/tmp --unstable-net",
  );
  assert.equal(flags("deno -A main.ts"), "--unstable-net -A");
  assert.equal(
    flags("deno -RN --allow-ffi main.ts"),
    "ENV --unstable-net -RN --allow-ffi",
  );
  // What is given for some hosts only is not enough.
  assert.equal(
    flags("deno --allow-net=localhost main.ts"),
    "ENV --allow-ffi --allow-net --allow-read=/tmp --unstable-net " +
      "--allow-net=localhost",
  );
});

test("serviceCommand() tells the runtime, and what has to be readable", () => {
  const of = (typed: string) => {
    const { runtime, paths } = serviceCommand(typed.split(" "), PLACE, []);
    return [runtime, ...paths];
  };
  assert.deepEqual(of("node main.ts"), [
    "node",
    "/usr/bin/node",
    "/srv/app/main.ts",
  ]);
  assert.deepEqual(of("python3 main.ts"), [undefined, "/usr/bin/python3"]);
});

test("serviceCommand() warns of arguments that are relative", () => {
  const { warnings } = serviceCommand(
    ["node", "main.ts", "./data", "..", "data", "/x"],
    PLACE,
    [],
  );
  assert.equal(warnings.length, 2);
  const notes = (...args: string[]) =>
    serviceCommand(["node", "main.ts", ...args], PLACE, []).warnings.length;
  assert.equal(notes("data.json"), 1);
  assert.equal(notes("--config=data.json", "--config=./x"), 2);
  assert.equal(notes("--config=nowhere.json", "--data.json", "", "-x"), 0);
  assert.match(warnings[0]!, /^"\.\/data" is relative, and a service starts/);
});

const refused: [string, RegExp][] = [
  ["npm start", /"npm" starts another process.+: start the runtime itself/],
  ["/usr/lib/npm/bin/npm-cli.js start", /"npm" starts another process/],
  ["bunx app", /"bunx" starts another process/],
  ["sh -c app", /"sh" starts another process.+: begin the last command with/],
  ["deno task start", /"deno task" starts another process/],
  ["deno x app", /"deno x" starts another process/],
  ["deno serve main.ts", /"deno serve" binds an address itself/],
  ["bun x app", /"bun x" starts another process/],
  ["bun run start", /script "start" of Bun: .+ script of package\.json runs/],
  ["node --run start", /"node --run" starts another process/],
  ["node --watch main.ts", /"node --watch" starts another process/],
  ["bun dev", /"bun run" starts another process/],
  ["bun run tsx main.ts", /"bun run" starts another process/],
  ["deno run -A serve", /"deno run" starts another process/],
  ["node --watch main.ts", /leave --watch out, and restart the service after/],
  ["deno run --watch main.ts", /"deno --watch" starts the program again, and/],
  ["deno run -A --watch-hmr main.ts", /"deno --watch-hmr" starts the program/],
  ["bun --watch main.ts", /"bun --watch" starts the program again/],
  ["bun --hot main.ts", /"bun --hot" starts the program again/],
  ["node /usr/lib/npm/bin/npm-cli.js start", /"npm" starts another process/],
  ["node -C a /usr/lib/npm/bin/npm-cli.js start", /"npm" starts another proc/],
  ["node node_modules/.bin/tsx main.ts", /"tsx" starts another process/],
  ["bun node_modules/.bin/tsx main.ts", /"tsx" starts another process/],
  ["node_modules/.bin/tsx main.ts", /"tsx" starts another process/],
  ["node linked.js main.ts", /"tsx" starts another process/],
  ["deno run -A npm:nodemon main.ts", /"nodemon" starts another process/],
  ["env A=b npm start", /"npm" starts another process/],
  ["env -i node main.ts", /"env -i" removes the variables of socket/],
  [
    "env -u HOME node main.ts",
    /of env: expected only variables .+, found "-u"/,
  ],
  ["env a.b=c node main.ts", /of env: expected a name of letters, .+ "a\.b=c"/],
  ["env A=b", /"env A=b" starts none: name the program after it/],
  ["nice node --watch main.ts", /"node --watch" starts another process/],
  [
    "timeout 5 node main.ts",
    /"timeout" starts another process.+RuntimeMaxSec=/,
  ],
  ["setsid node main.ts", /"setsid" starts another process/],
  ["make start", /"make" starts another process/],
  [
    "./start.sh",
    /"sh" starts another process.+begin the last command with exec/,
  ],
  ["sh start.sh", /"sh" starts another process/],
  ["./watching", /"deno --watch" starts the program again/],
  ["/shims/node main.ts", /is a script that starts node .+ or of a version/],
  ["/volta/node main.ts", /"volta-shim" starts another process/],
  [
    "/npm/bin/deno run main.ts",
    /that of the npm package.+name the program itself, here "\/npm\/lib\/deno\/deno"$/,
  ],
  ["nope", /^Finding the program "nope": it is in no directory of PATH/],
  ["./nope", /^Finding the program ".\/nope": there is no such file/],
  ["not-executable", /it is not executable/],
  ["/usr/bin/not-executable", /it is not executable/],
  ["/srv/app", /it is a directory/],
  ["node nope.ts", /^Finding the script "nope\.ts" of Node: there is no such/],
  ["node", /there is no script/],
  ["deno run -A", /there is no script/],
];

for (const [typed, message] of refused) {
  test(`serviceCommand() refuses ${typed}`, () => {
    assert.throws(() => words(typed), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assertMessage(error.message);
      assert.match(error.message, message);
      return true;
    });
  });
}

test("serviceCommand() passes over the programs that bunx puts before PATH", () => {
  const place = { ...PLACE, searchPath: "/tmp/bun-node-0-a7733435c:/usr/bin" };
  for (const name of ["bun", "node"]) {
    const { words } = serviceCommand([name, "main.ts"], place, []);
    assert.equal(words[0], `/usr/bin/${name}`);
  }
});

test("serviceCommand() takes a shell that becomes the program", () => {
  const { words } = serviceCommand(
    ["sh", "-c", "cd /srv && exec node main.ts"],
    PLACE,
    [],
  );
  assert.equal(words[0], "/usr/bin/sh");
});

test("hiddenPaths() finds what a service can't reach", () => {
  const warnings = (path: string, user?: string) =>
    hiddenPaths([path], disk, user);
  assert.deepEqual(warnings("/srv/app/main.ts"), []);
  assert.match(warnings("/srv/secret.ts")[0]!, /others may not read it/);
  assert.match(warnings("/root/main.ts")[0]!, /others may not enter "\/root"/);
  assert.match(warnings("/srv/linked.ts")[0]!, /others may not enter "\/root"/);
  assert.deepEqual(warnings("/srv/secret.ts", "me"), []);
  assert.match(warnings("/tmp/x.ts")[0]!, /PrivateTmp=yes/);
  assert.match(warnings("/var/tmp/x.ts", "me")[0]!, /PrivateTmp=yes/);
});

test("isInHome() follows links", () => {
  assert.ok(isInHome("/home/me/x", disk));
  assert.ok(isInHome("/srv/linked.ts", disk));
  assert.ok(!isInHome("/homes/x", disk));
  assert.ok(!isInHome("/srv/app/main.ts", disk));
});
