/** The first program of README.md as a service of a machine. */

import type { TestContext } from "node:test";
import { readBlocks } from "../../harness/markdown.ts";
import type { Machine } from "../machine/machine.ts";
import { LIBRARY, writeProgram } from "../machine/package.ts";
import { serviceUnit, socketUnit, type UnitHost } from "../machine/units.ts";

const PROGRAM = "/opt/hello/hello.ts";

/** The first program of README.md. */
export const HELLO: string = readBlocks("README.md", "ts")[0]!;

/** Installs the program as `loaded.service`, and starts its socket. */
export async function installHello(
  t: TestContext,
  machine: Machine,
  { command, ...host }: UnitHost,
): Promise<void> {
  writeProgram(machine, PROGRAM, HELLO);
  const flags = host.runtime === "deno"
    ? [`--config=${LIBRARY}/deno.json`]
    : [];
  await machine.install(t, {
    "loaded.socket": socketUnit({
      FileDescriptorName: "web",
      ListenStream: "127.0.0.1:8080",
    }),
    "loaded.service": serviceUnit({ ...host, command }, "", {
      ExecStart: [...command, ...flags, PROGRAM].join(" "),
    }, { StartLimitIntervalSec: 0 }),
  });
  await machine.systemctl("start", "loaded.socket");
}
