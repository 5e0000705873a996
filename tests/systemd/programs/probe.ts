/**
 * Tells whether a setting that hardens a unit is in effect for the process that
 * this is: `node probe.ts ProtectHome=yes`.
 */

import { spawnSync } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import process from "node:process";

/** The code of what it failed with, if it failed. */
async function codeOf(use: () => unknown): Promise<string | undefined> {
  try {
    await use();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

/** Makes a UDP socket, and binds it. */
function bindUdp(): Promise<string | undefined> {
  return codeOf(async () => {
    const socket = dgram.createSocket("udp4").bind(0, "127.0.0.1");
    await once(socket, "listening");
  });
}

/** Makes a Unix socket, to which nothing answers. */
function connectUnix(): Promise<string | undefined> {
  return codeOf(() => once(net.connect("/nowhere"), "connect"));
}

/** Sends a datagram to the discard service, which needn't be there. */
function sendUdp(): Promise<string | undefined> {
  return codeOf(() =>
    new Promise<void>((resolve, reject) => {
      const socket = dgram.createSocket("udp4");
      socket.send("x", 9, "127.0.0.1", (error) => {
        if (error) reject(error);
        else resolve();
      });
    })
  );
}

/** Reads a file of this process in `/proc`. */
function own(name: string): string {
  return fs.readFileSync(`/proc/self/${name}`, "utf8");
}

/** Returns whether nothing can be written to a directory. */
async function isReadOnly(directory: string): Promise<boolean> {
  const code = await codeOf(() => fs.writeFileSync(`${directory}/probe`, ""));
  return code === "EROFS" || code === "EACCES";
}

/** Returns whether a setting hides the marker that the tests have created. */
const hidden = (directory: string) =>
  !fs.existsSync(`${directory}/probe-marker`);

/** Whether a file system can be mounted. */
const canMount = () =>
  spawnSync("mount", ["-t", "tmpfs", "probe", "/mnt"]).status === 0;

const probes: Record<string, () => boolean | Promise<boolean>> = {
  "DynamicUser=yes": () => process.getuid!() >= 61184,
  "User=nobody": () => process.getuid!() === 65534,
  "NoNewPrivileges=yes": () => own("status").includes("NoNewPrivs:\t1"),
  "CapabilityBoundingSet=": () => /^CapBnd:\t0+$/m.test(own("status")),
  "PrivateNetwork=yes": () => !own("net/unix").includes("/run/systemd"),
  "PrivateUsers=yes": () => !own("uid_map").includes("4294967295"),
  "ProtectSystem=strict": () => isReadOnly("/srv"),
  "ProtectHome=yes": () => isReadOnly("/root"),
  "PrivateTmp=yes": () => hidden("/tmp"),
  "PrivateDevices=yes": () => hidden("/dev"),
  "ProtectProc=invisible": () => !fs.existsSync("/proc/1"),
  "ProcSubset=pid": () => !fs.existsSync("/proc/meminfo"),
  "InaccessiblePaths=/tmp": () => isReadOnly("/tmp"),
  "InaccessiblePaths=/proc": () => !fs.existsSync("/proc/self"),
  "RestrictAddressFamilies=AF_UNIX": async () =>
    await bindUdp() === "EAFNOSUPPORT" && await connectUnix() === "ENOENT",
  "RestrictAddressFamilies=AF_INET AF_INET6": async () =>
    await bindUdp() === undefined && await connectUnix() === "EAFNOSUPPORT",
  "RestrictAddressFamilies=none": async () =>
    await bindUdp() === "EAFNOSUPPORT" &&
    await connectUnix() === "EAFNOSUPPORT",
  "RestrictNamespaces=yes": () =>
    spawnSync("unshare", ["--uts", "true"]).status === 1,
  "SystemCallFilter=@system-service": () => !canMount(),
  "SystemCallFilter=@system-service @pkey": () => !canMount(),
  "SystemCallFilter=~bind": async () => await bindUdp() === "EPERM",
  "SocketBindDeny=any": async () => await bindUdp() === "EPERM",
  "IPAddressDeny=any": async () => await sendUdp() === "EPERM",
};

const probe = probes[process.argv[2]!];
if (probe === undefined) throw new Error(`no probe for ${process.argv[2]}`);
console.log(`probe: ${await probe() ? "in effect" : "no effect"}`);
process.exit();
