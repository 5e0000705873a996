/**
 * What the benchmarks ask servers for.
 *
 * @module
 */

/** Requests of HTTP, or messages that come back. */
export type LoadSpec =
  | { readonly kind: "http"; readonly path: string; readonly script?: string }
  | { readonly kind: "echo"; readonly protocol: "raw" | "websocket" };

export type LoadName =
  | "hello"
  | "64 KiB answer"
  | "1 MiB answer"
  | "1 MiB upload"
  | "JSON in and out"
  | "WebSocket echo"
  | "raw echo";

/** What is measured; a script lies in `requests/`. */
export const LOADS: Readonly<Record<LoadName, LoadSpec>> = {
  hello: { kind: "http", path: "/" },
  "64 KiB answer": { kind: "http", path: "/bytes/65536" },
  "1 MiB answer": { kind: "http", path: "/bytes/1048576" },
  "1 MiB upload": { kind: "http", path: "/upload", script: "upload.lua" },
  "JSON in and out": { kind: "http", path: "/json", script: "json.lua" },
  "WebSocket echo": { kind: "echo", protocol: "websocket" },
  "raw echo": { kind: "echo", protocol: "raw" },
};

/** Length of a message that comes back, in bytes. */
export const MESSAGE_BYTES = 1024;
