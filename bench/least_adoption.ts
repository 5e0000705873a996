/**
 * Programs that adopt a socket with nothing but the system calls that this takes:
 * what is between them and a port of their own, no library can save.
 *
 * @module
 */

/** What follows after the functions of the C library. */
const ADOPT = `
const linkOf = (fd) => {
  try {
    return readlinkSync("/proc/self/fd/" + fd);
  } catch {
    return "";
  }
};
const fds = readdirSync("/proc/self/fd").map(Number);
// SO_ACCEPTCONN
const listens = (fd) => {
  const value = new Int32Array(1);
  symbols.getsockopt(fd, 1, 30, value, new Int32Array([4]));
  return value[0] === 1;
};
const placeholder = fds.find((fd) => fd > 3 && listens(fd));
let entry, epoll;
for (epoll of fds.filter((fd) => linkOf(fd) === "anon_inode:[eventpoll]")) {
  entry = RegExp("tfd: +" + placeholder + " events: +(\\\\w+) data: +(\\\\w+)")
    .exec(readFileSync("/proc/self/fdinfo/" + epoll, "utf8"));
  if (entry) break;
}
const event = new DataView(new ArrayBuffer(12));
event.setUint32(0, parseInt(entry[1], 16), true);
event.setBigUint64(4, BigInt("0x" + entry[2]), true);
symbols.fcntl(3, 4, 0o4002);
symbols.dup3(3, placeholder, 0o2000000);
symbols.epoll_ctl(epoll, 1, placeholder, new Uint8Array(event.buffer));
`;

/** The programs, by runtime. */
export const LEAST_ADOPTION: Readonly<Record<"deno" | "bun", string>> = {
  deno:
    `const { readLinkSync: readlinkSync, readTextFileSync: readFileSync } = Deno;
const readdirSync = (path) => [...Deno.readDirSync(path)].map(({ name }) => name);
const three = { parameters: ["i32", "i32", "i32"], result: "i32" };
const { symbols } = Deno.dlopen("libc.so.6", {
  fcntl: three,
  dup3: three,
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  getsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "buffer"],
    result: "i32",
  },
});
Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  () => new Response("hello"),
);
${ADOPT}`,
  bun: `import { dlopen } from "bun:ffi";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
const three = { args: ["i32", "i32", "i32"], returns: "i32" };
const { symbols } = dlopen("libc.so.6", {
  fcntl: three,
  dup3: three,
  epoll_ctl: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
});
Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") });
${ADOPT}`,
};
