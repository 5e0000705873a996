// What a program of TypeScript does with `.` and `./core`: compiled with the
// types of no runtime, as ES module and as CommonJS.

import {
  type Activation,
  activation,
  ActivationError,
  adopt,
  type Connection,
  connection,
  type Descriptor,
  type FetchServer,
  formatAddress,
  inactiveReason,
  listen,
  type Listener,
  parseListenAddress,
  serve,
} from "@listenfds/listenfds";
import {
  isSocketInet,
  type ListenEnvironment,
  parseListenEnvironment,
} from "@listenfds/listenfds/core";

const activated: Activation | null = activation({
  map: { web: { port: 80 } },
  expect: { web: "stream-listener" },
});
export const reason: string | undefined = inactiveReason()?.message;
export const names: readonly string[] = activated?.names ?? [];

export async function main(): Promise<void> {
  const server: FetchServer = await serve(
    parseListenAddress("systemd:web"),
    { fallback: { port: 8080, hostname: "::1" } },
    (request, { remoteAddress }) =>
      new Response(`${request.url} ${remoteAddress?.kind}`),
  );
  const shown: string[] = server.addresses.map((each) => formatAddress(each));
  const listener: Listener = await listen("echo", {
    fallback: { path: shown[0] ?? "echo.sock" },
  });
  for await (const each of listener) await echo(each);
  await echo(await connection());
  await server.shutdown();
}

async function echo({ readable, writable }: Connection): Promise<void> {
  await readable.pipeTo(writable);
}

export function isMissing(error: unknown): boolean {
  return error instanceof ActivationError && error.code === "missing-name";
}

export async function adoptOne(descriptor: Descriptor): Promise<number> {
  const info = descriptor.info;
  if (info.kind !== "stream-listener" || !isSocketInet(descriptor)) {
    throw new TypeError(`found ${info.kind}`);
  }
  return await adopt(descriptor, {
    create: (place) => (place.kind === "unix" ? 0 : place.port),
    close: () => {},
  });
}

export function parse(): ListenEnvironment {
  return parseListenEnvironment({ LISTEN_PID: "1", LISTEN_FDS: "1" }, {
    pid: 1,
  });
}
