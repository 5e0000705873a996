/** The first program of README.md as a service of a machine. */

import fs from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { ROOT } from "../../harness/hosts.ts";
import type { Machine } from "../machine/machine.ts";
import { serviceUnit, socketUnit, type UnitHost } from "../machine/units.ts";

const DIRECTORY = "/opt/hello";
const LIBRARY = "/opt/listenfds";

/** Returns the first program of README.md. */
function readProgram(): string {
  const readme = fs.readFileSync(path.join(ROOT, "README.md"), "utf8");
  return /^```ts\n([^]*?)^```$/m.exec(readme)![1]!;
}

/**
 * Writes the program into a machine, unchanged, with a package of the library's
 * name beside it. Deno finds the library in the configuration of the checkout.
 */
function writeProgram(machine: Machine): void {
  const directory = machine.file(DIRECTORY);
  const library = path.join(directory, "node_modules/@listenfds/listenfds");
  fs.mkdirSync(library, { recursive: true });
  fs.writeFileSync(path.join(directory, "hello.ts"), readProgram());
  fs.writeFileSync(
    path.join(library, "package.json"),
    JSON.stringify({ type: "module", exports: "./index.js" }),
  );
  fs.writeFileSync(
    path.join(library, "index.js"),
    `export * from "${LIBRARY}/mod.ts";\n`,
  );
}

/** Installs the program as `loaded.service`, and starts its socket. */
export async function installHello(
  t: TestContext,
  machine: Machine,
  { command, ...host }: UnitHost,
): Promise<void> {
  writeProgram(machine);
  const flags = host.runtime === "deno"
    ? [`--config=${LIBRARY}/deno.json`]
    : [];
  await machine.install(t, {
    "loaded.socket": socketUnit({
      FileDescriptorName: "web",
      ListenStream: "127.0.0.1:8080",
    }),
    "loaded.service": serviceUnit({ ...host, command }, "", {
      ExecStart: [...command, ...flags, `${DIRECTORY}/hello.ts`].join(" "),
    }, { StartLimitIntervalSec: 0 }),
  });
  await machine.systemctl("start", "loaded.socket");
}
