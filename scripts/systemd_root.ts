/**
 * Another systemd than that of this machine, for the tests: Debian's packages,
 * unpacked where `tests/systemd/machine/machine.sh` puts their `/usr` over the
 * machine's own.
 *
 * @module
 */

import { join } from "node:path";
import { fetchDebian } from "./debian.ts";

/** What systemd needs that another Debian has in another version, libc included. */
const PACKAGES = [
  "systemd",
  "libsystemd-shared",
  "libsystemd0",
  "libacl1",
  "libapparmor1",
  "libaudit1",
  "libblkid1",
  "libc6",
  "libcap-ng0",
  "libcap2",
  "libcrypt1",
  "libgcrypt20",
  "libgpg-error0",
  "libkmod2",
  "liblz4-1",
  "liblzma5",
  "libmount1",
  "libpam0g",
  "libpcre2-8-0",
  "libseccomp2",
  "libselinux1",
  "libssl3t64",
  "libudev1",
  "libzstd1",
  "zlib1g",
];

/**
 * Fetches the systemd of a Debian, once.
 *
 * @param suite The name of the Debian, such as `trixie`.
 * @returns The directory that has its `/usr`, or the reason why there is none.
 */
export async function fetchSystemd(
  suite: string,
): Promise<{ readonly usr: string } | { readonly reason: string }> {
  const fetched = await fetchDebian({
    name: `systemd-${suite}`,
    suite,
    packages: PACKAGES,
  });
  return "root" in fetched ? { usr: join(fetched.root, "usr") } : fetched;
}
