/**
 * `DENO_SERVE_ADDRESS`, with which Deno moves the first server of `Deno.serve` to
 * another address.
 *
 * @module
 */

const SERVE_ADDRESS_VARIABLE = "DENO_SERVE_ADDRESS";

/** Reads the variable; `undefined` without the permission for it, too. */
export function readServeAddress(): string | undefined {
  const { state } = Deno.permissions.querySync({
    name: "env",
    variable: SERVE_ADDRESS_VARIABLE,
  });
  return state === "granted" ? Deno.env.get(SERVE_ADDRESS_VARIABLE) : undefined;
}

/** Removes the variable, so that Deno moves no server. */
export function removeServeAddress(): void {
  Deno.env.delete(SERVE_ADDRESS_VARIABLE);
}

/**
 * Calls `Deno.serve` for a placeholder, which Deno must not move; a later server of
 * the program's own still moves.
 */
export function withoutServeAddress<T>(call: () => T): T {
  const address = readServeAddress();
  if (address === undefined) return call();
  removeServeAddress();
  try {
    return call();
  } finally {
    Deno.env.set(SERVE_ADDRESS_VARIABLE, address);
  }
}
