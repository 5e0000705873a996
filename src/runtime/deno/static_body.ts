/**
 * Reading the body of a response without a stream, as `Deno.serve` does.
 *
 * Deno keeps the body of `new Response(text)` as it was given, and creates a
 * stream when that is asked for. The stream and its reads take longer than all
 * else that the portable path does for a response.
 *
 * The property isn't documented. Where it is missing or has another form, the
 * stream is read.
 *
 * @module
 */

import type { Platform } from "../platform.ts";

/** What Deno keeps of a response, as far as it is read here. */
interface InnerResponse {
  readonly body?: {
    /** A stream, or a body that is there at once. */
    readonly streamOrStatic?: { readonly body?: unknown; consumed?: unknown };
  } | null;
}

let property: symbol | undefined;

/** Implements {@linkcode Platform.takeStaticBody}; the body then counts as used. */
export const takeStaticBody: NonNullable<Platform["takeStaticBody"]> = (
  response,
) => {
  // The body of a class that the program derived may be another one.
  if (
    Object.getPrototypeOf(response) !== Response.prototype ||
    Object.hasOwn(response, "body")
  ) return undefined;
  property ??= Object.getOwnPropertySymbols(response)
    .find(({ description }) => description === "response");
  if (property === undefined) return undefined;
  const inner = (response as unknown as { [key: symbol]: unknown })[property] as
    | InnerResponse
    | undefined;
  const kept = inner?.body?.streamOrStatic;
  if (kept?.consumed !== false) return undefined;
  const { body } = kept;
  if (typeof body !== "string" && !(body instanceof Uint8Array)) {
    return undefined;
  }
  kept.consumed = true;
  return body;
};
