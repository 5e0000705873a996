/** Containers of a machine: their root shows the programs of the machine itself. */

import fs from "node:fs";
import type { Machine } from "../machine/machine.ts";

/** The root of all containers; no image is needed. */
export const CONTAINER_ROOT = "/run/container";

/** Directories of the machine that containers see, read-only. */
export const SHOWN: readonly string[] = ["/usr", "/opt/listenfds"];

/** Creates the root, and Podman's configuration, where they are missing. */
export function prepareContainers(machine: Machine): void {
  if (fs.existsSync(machine.file(CONTAINER_ROOT))) return;
  const write = (file: string, lines: readonly string[]) =>
    fs.writeFileSync(machine.file(`/etc/containers/${file}`), lines.join("\n"));
  for (
    const name of ["dev", "etc", "opt", "proc", "run", "sys", "tmp", "usr"]
  ) {
    fs.mkdirSync(machine.file(`${CONTAINER_ROOT}/${name}`), {
      recursive: true,
    });
  }
  for (const name of ["bin", "lib", "lib64", "sbin"]) {
    fs.symlinkSync(`usr/${name}`, machine.file(`${CONTAINER_ROOT}/${name}`));
  }
  fs.mkdirSync(machine.file("/etc/containers/systemd"), { recursive: true });
  write("policy.json", ['{"default":[{"type":"insecureAcceptAnything"}]}']);
  write("storage.conf", [
    "[storage]",
    'driver = "vfs"',
    'runroot = "/run/containers/storage"',
    'graphroot = "/var/lib/containers/storage"',
  ]);
  // /proc/sys of the machine is read-only.
  write("containers.conf", ["[containers]", "default_sysctls = []"]);
}

/** The options of `podman run` that this machine needs, and the root. */
export const PODMAN_OPTIONS: readonly string[] = [
  // The machine has no control groups to delegate, and few descriptors.
  ...["--cgroups=disabled", "--ulimit=nofile=1024:1024"],
  ...SHOWN.map((path) => `--volume=${path}:${path}:ro`),
];
