/**
 * The first steps of README.md, as they are written there: in an empty
 * directory, with an empty home, and then as the units start the program.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { request } from "../harness/client.ts";
import { forEachHost, ROOT, type Tool, TOOLS } from "../harness/hosts.ts";
import { temporaryDirectory } from "../harness/machine_tools.ts";
import { startActivated } from "../harness/program.ts";
import { bindSockets } from "../harness/sockets.ts";
import { test } from "../harness/timed_test.ts";
import { NODE, offerPackage, PACKAGE_TOOLS, succeed } from "./project.ts";

const README = fs.readFileSync(path.join(ROOT, "README.md"), "utf8");

/** Returns the text of each code block of a section. */
function blocks(heading: string, language: string): string[] {
  const section = README.split(`\n## ${heading}\n`)[1]!.split("\n## ")[0]!;
  const pattern = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm");
  return [...section.matchAll(pattern)].map(([, text]) => text!);
}

const SERVICE = "A service in five minutes";

/** Returns the commands that install the package for a runtime. */
function installSteps({ runtime }: Tool): string {
  const command = { deno: "deno add", bun: "bun add", node: "npm install" };
  const steps = blocks("Install", "sh")
    .find((text) => text.includes(command[runtime]))!;
  // A stand-in for JSR, which the tests may not need.
  return steps.replaceAll("jsr:", "npm:");
}

/** Returns the words of `ExecStart=` for a runtime. */
function unitCommand({ runtime, path }: Tool, directory: string): string[] {
  const unit = blocks(SERVICE, "ini")
    .find((text) => text.includes(`=/usr/local/bin/${runtime} `))!;
  const line = /^ExecStart=((?:.*\\\n)*.*)$/m.exec(unit)![1]!;
  return line.replaceAll("\\\n", "")
    .replace(`/usr/local/bin/${runtime}`, path)
    .replace("/opt/hello", directory)
    .split(/ +/);
}

/** Creates a directory for `PATH` with the runtimes and npm. */
function programs(t: TestContext, tool: Tool): string {
  const directory = temporaryDirectory(t);
  for (const { runtime, path: file } of [...TOOLS, tool]) {
    fs.rmSync(path.join(directory, runtime), { force: true });
    fs.symlinkSync(file, path.join(directory, runtime));
  }
  const npm = path.join(PACKAGE_TOOLS, "npm/bin/npm-cli.js");
  const script = `#!/bin/sh\nexec '${NODE}' '${npm}' "$@"\n`;
  fs.writeFileSync(path.join(directory, "npm"), script, { mode: 0o755 });
  return directory;
}

forEachHost(TOOLS, (tool) => {
  test(`${tool.label}: the first steps of README.md lead to a service`, async (t) => {
    const directory = temporaryDirectory(t);
    const registry = await offerPackage(t);
    const env = {
      HOME: temporaryDirectory(t),
      PATH: `${programs(t, tool)}:${process.env["PATH"]}`,
      NPM_CONFIG_REGISTRY: registry,
      BUN_CONFIG_REGISTRY: registry,
      // Only the home is to be empty.
      DENO_DIR: undefined,
      BUN_INSTALL_CACHE_DIR: undefined,
    };
    const run = (steps: string) =>
      succeed("/bin/sh", ["-e", "-c", steps], directory, env);
    await run(installSteps(tool));
    const [program] = blocks(SERVICE, "ts");
    fs.writeFileSync(path.join(directory, "hello.ts"), program!);
    const [install] = blocks(SERVICE, "sh");
    if (tool.runtime === "deno") await run(install!);

    const cache = temporaryDirectory(t);
    const [service, [socket]] = await bindSockets(
      ["web=tcp:127.0.0.1:0"],
      (sockets) =>
        [
          // As a dynamic user, who has no cache and can't read any home.
          startActivated(t, unitCommand(tool, directory), sockets, {
            HOME: "/nonexistent",
            DENO_DIR: tool.runtime === "deno" ? cache : undefined,
          }),
          sockets,
        ] as const,
    );
    const { body } = await service.whileRunning(
      "an answer",
      request({ host: "127.0.0.1", port: socket!.port!, path: "/world" }),
    );
    assert.equal(body, "hello from /world\n");
    assert.equal(await service.terminate(), 0, service.output);
  });
});
