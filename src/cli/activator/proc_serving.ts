/**
 * Finds whether a command waits for clients: one of its processes has the sockets
 * in an epoll instance, as every server of the runtimes has.
 *
 * @module
 */

import {
  listDirectory,
  readLink,
  readSystemFile,
} from "../shared/text_file.ts";

/** How many of the sockets a command waits on. */
export type Serving = "all" | "some" | "none";

/** Returns the inodes of sockets of this process, as `fdinfo` writes them. */
export function socketInodes(fds: readonly number[]): string[] {
  return fds.flatMap((fd) => {
    const link = readLink(`/proc/self/fd/${fd}`);
    const [, inode] = /^socket:\[(\d+)\]$/.exec(link) ?? [];
    return inode === undefined ? [] : [BigInt(inode).toString(16)];
  });
}

/** Returns how many of the sockets a process group waits on. */
export function findServing(
  groupId: number,
  inodes: readonly string[],
): Serving {
  const watched = new Set<string>();
  for (const pid of groupMembers(groupId)) {
    for (const inode of watchedInodes(pid)) watched.add(inode);
  }
  const count = inodes.filter((inode) => watched.has(inode)).length;
  return count === 0 ? "none" : count === inodes.length ? "all" : "some";
}

/** Returns the inodes of what the epoll instances of a process watch. */
function* watchedInodes(pid: number): Generator<string> {
  const directory = `/proc/${pid}/fdinfo`;
  for (const fd of listDirectory(directory)) {
    const text = readSystemFile(`${directory}/${fd}`);
    for (const [, inode] of text.matchAll(/^tfd:.* ino:([0-9a-f]+) /gm)) {
      yield inode!;
    }
  }
}

/** Returns the leader of a process group, and then the other members. */
function* groupMembers(groupId: number): Generator<number> {
  yield groupId;
  for (const name of listDirectory("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === groupId) continue;
    const text = readSystemFile(`/proc/${name}/stat`);
    // The name, in brackets, may have spaces: state, parent and group follow it.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if (Number(fields[2]) === groupId) yield Number(name);
  }
}
