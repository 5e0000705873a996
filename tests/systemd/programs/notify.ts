/**
 * Serves `web` and `admin`, and notifies the service manager as its options say.
 * Its requests block the event loop, end servers and send notifications.
 */

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import {
  activation,
  type FetchServer,
  serve,
  type ServeOptions,
} from "../../../mod.ts";
import {
  notify,
  notifyBarrier,
  onReload,
  storeDescriptor,
} from "../../../src/notify.ts";

const { values } = parseArgs({
  options: {
    /** The names to serve, in this order. */
    names: { type: "string", default: "web,admin" },
    /** Sends this status before it serves anything. */
    status: { type: "string" },
    /** Serves the last name only when this file is there. */
    wait: { type: "string" },
    /** Goes on after a name that can't be served. */
    catch: { type: "boolean", default: false },
    /** The options of the servers, as JSON. */
    options: { type: "string", default: "{}" },
    /** Takes so many milliseconds to reload, and writes this file at the end. */
    reload: { type: "string" },
    /** Fails to reload. */
    "fail-reload": { type: "boolean", default: false },
  },
});

const servers = new Map<string, FetchServer>();

async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const ms = Number(searchParams.get("ms") ?? 0);
  switch (pathname) {
    case "/block":
      fs.writeSync(process.stdout.fd, "blocking\n");
      block(ms);
      break;
    case "/wait":
      console.log("waiting");
      await sleep(ms);
      break;
    case "/shutdown":
      void servers.get(searchParams.get("name")!)!.shutdown().then(() =>
        console.log("shut down")
      );
      break;
    case "/notify":
      return Response.json(
        await notify(JSON.parse(searchParams.get("message")!)),
      );
    case "/stop":
      // The program ends itself, as after an update.
      await notify({ stopping: true });
      void Promise.all([...servers.values()].map((each) => each.shutdown()))
        .then(() => process.exit(0));
      break;
    case "/store":
      return Response.json(await storeDescriptor("kept", process.stdin.fd));
    case "/names":
      return Response.json(activation()!.names);
    case "/barrier":
      return Response.json(await notifyBarrier());
    case "/spawn": {
      const { status, stderr } = spawnSync("systemd-notify", [
        ...searchParams.getAll("argument"),
      ], { encoding: "utf8" });
      return Response.json({ status, stderr });
    }
  }
  return new Response(`${process.pid}`);
}

/** Keeps the event loop from running. */
function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

async function exists(path: string): Promise<void> {
  while (!fs.existsSync(path)) await sleep(10);
}

if (values.reload !== undefined || values["fail-reload"]) {
  onReload(async () => {
    if (values["fail-reload"]) throw new Error('port\n"x" is taken');
    const [ms, path] = values.reload!.split(":") as [string, string];
    await sleep(Number(ms));
    fs.appendFileSync(path, "reloaded\n");
  });
}

if (values.status !== undefined) await notify({ status: values.status });

const options: ServeOptions = JSON.parse(values.options);
const names = values.names.split(",");
for (const [index, name] of names.entries()) {
  if (values.wait !== undefined && index === names.length - 1) {
    await exists(values.wait);
  }
  try {
    servers.set(name, await serve(name, options, answer));
    console.log(`serving ${name}`);
  } catch (error) {
    if (!values.catch) throw error;
    console.log((error as Error).message);
  }
}
