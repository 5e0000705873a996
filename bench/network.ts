/**
 * A network namespace for a benchmark.
 *
 * @module
 */

/** Runs its arguments with a loopback interface, which begins switched off. */
const WITH_LOOPBACK = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"];

/** What can make a network namespace: root, or anybody in a user namespace. */
const ATTEMPTS = [
  ["unshare", "--net", ...WITH_LOOPBACK],
  ["unshare", "--map-root-user", "--net", ...WITH_LOOPBACK],
];

/**
 * Looks for a way to run a program in a network namespace of its own, where no
 * socket of anybody else is counted, and nobody else is disturbed.
 *
 * @returns What to begin a command line with; empty if there is no way.
 */
export async function ownNetwork(): Promise<string[]> {
  for (const [program, ...args] of ATTEMPTS) {
    try {
      const { success } = await new Deno.Command(program!, {
        args: [...args, "true"],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).output();
      if (success) return [program!, ...args];
    } catch {
      // It is not installed.
    }
  }
  return [];
}
