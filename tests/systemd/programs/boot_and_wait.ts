/**
 * Boots a machine whose service leaves traces wherever it can, and prints its
 * processes; then ends without stopping it, in the way that a test asks for.
 */

import { once } from "node:events";
import process from "node:process";
import { Machine } from "../machine/machine.ts";

const machine = await Machine.boot();
const kinds = ["Cache", "State", "Logs", "Runtime"];
await machine.systemctl("start", "tests.target");
const { stderr, status } = await machine.run(
  "systemd-run",
  ...["--service-type=exec", "--property=DynamicUser=yes"],
  ...kinds.map((kind) => `--property=${kind}Directory=listenfds-trace`),
  ...["/bin/sh", "-c", "touch /tmp/listenfds-trace; exec sleep 1000"],
);
if (status !== 0) throw new Error(stderr);
for (const directory of ["tmp", "var/tmp", "run", "etc", "opt", "dev"]) {
  const { stderr, status } = await machine.run(
    "touch",
    `/${directory}/listenfds-trace`,
  );
  if (status !== 0) throw new Error(stderr);
}
// Starts the process that makes sockets in its network.
await machine.connect({ port: 1 }).catch(() => {});
console.log(JSON.stringify({ pid: machine.pid, keeper: machine.keeperPid }));
const [how] = await once(process.stdin.setEncoding("utf8"), "data");
if (how === "throw") throw new Error("thrown on purpose");
if (how === "exit") process.exit(0);
