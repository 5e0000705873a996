/** The programs of this machine that tests use, and temporary directories. */

import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";

/** Returns the path of a program, if it is installed. */
export function findProgram(name: string): string | undefined {
  const { status, stdout } = spawnSync("/bin/sh", ["-c", `command -v ${name}`]);
  return status === 0 ? String(stdout).trim() : undefined;
}

/** The reason to skip a test where a program is missing. */
export function missingProgram(name: string): string | false {
  return findProgram(name) === undefined && `${name} is not installed`;
}

/** systemd's own activator. */
export const SYSTEMD_ACTIVATE = "systemd-socket-activate";

/** The reasons to skip tests that need a program, if it is missing. */
export const NO_SYSTEMD_ACTIVATE: string | false = missingProgram(
  SYSTEMD_ACTIVATE,
);
export const NO_PYTHON: string | false = missingProgram("python3");

/** Creates a directory that is removed after the test. */
export function temporaryDirectory(t: TestContext): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "listenfds-"));
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A private key and its certificate, in PEM form. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Creates a self-signed certificate for `localhost`, with openssl. */
export function createCertificate(directory: string): Certificate | undefined {
  if (findProgram("openssl") === undefined) return undefined;
  const key = path.join(directory, "key.pem");
  const cert = path.join(directory, "cert.pem");
  const request =
    "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost";
  execFileSync(
    "openssl",
    [...request.split(" "), "-keyout", key, "-out", cert],
    { stdio: "ignore" },
  );
  return {
    key: fs.readFileSync(key, "utf8"),
    cert: fs.readFileSync(cert, "utf8"),
  };
}
