/** A program that is evaluated again in the same process. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { getBody } from "../../harness/client.ts";
import { eventually, isPresent } from "../../harness/eventually.ts";
import {
  DENO_PERMISSIONS,
  forEachHost,
  hostsWith,
  ROOT,
  TOOLS,
} from "../../harness/hosts.ts";
import { temporaryDirectory } from "../../harness/machine_tools.ts";
import {
  type Program,
  startActivated,
  startProgram,
} from "../../harness/program.ts";
import {
  assertListensOnly,
  bindSockets,
  freePorts,
} from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

const DENOS = TOOLS.filter(({ runtime }) => runtime === "deno");

forEachHost(DENOS, ({ label, path: deno }) => {
  for (const flags of [["-A"], DENO_PERMISSIONS]) {
    const name = `${label} ${flags.length > 1 ? "" : flags[0]}`.trim();
    test(`deno run --watch on ${name} never binds the fallback of an activated process`, async (t) => {
      const script = path.join(temporaryDirectory(t), "service.ts");
      const [port] = await freePorts(1);
      const source = `
        import { inactiveReason, serve } from "${ROOT}/mod.ts";
        try {
          const fallback = { hostname: "127.0.0.1", port: ${port} };
          await serve("web", { fallback }, () => new Response());
          console.log("served");
        } catch (error) {
          console.log(error.code, inactiveReason()?.kind, error.message);
        }
        setInterval(() => {}, 1000);
      `;
      fs.writeFileSync(script, source);
      const config = `--config=${ROOT}/deno.json`;
      const command = [deno, "run", "--watch", config, ...flags, script];
      const program = await bindSockets(
        ["web=tcp:127.0.0.1:0"],
        (sockets) => startActivated(t, command, sockets),
      );
      await program.until("a server", () => program.stdout.includes("served"));
      // Again and again, because nothing says when the watcher begins to watch.
      const message = await eventually(
        "the second evaluation",
        () => {
          fs.appendFileSync(script, "\n");
          return /not-activated (.*)/.exec(program.stdout)?.[1];
        },
        isPresent,
        { intervalMs: 2000, details: () => program.output },
      );
      assert.match(message, /^activated-before Serving HTTP on "web": /);
      assert.match(message, /activated before.*listenfds run --watch/);
    });
  }
});

/** Bun has no event for the end of an evaluation, and may evaluate twice. */
const BUNS = TOOLS.filter(({ runtime }) => runtime === "bun");

/** Writes a program over and over until it has been evaluated again. */
async function changeUntil<T>(
  program: Program,
  script: string,
  source: string,
  read: () => T | Promise<T>,
): Promise<Exclude<T, undefined>> {
  return await eventually(
    "the next evaluation",
    () => {
      fs.writeFileSync(script, source);
      return read();
    },
    isPresent,
    { intervalMs: 1000, details: () => program.output },
  );
}

forEachHost(BUNS, ({ label, path: bun }) => {
  test(`bun --watch on ${label} says that the descriptor was not passed again`, async (t) => {
    const script = path.join(temporaryDirectory(t), "service.ts");
    const [port] = await freePorts(1);
    const source = `
      import { serve } from "${ROOT}/mod.ts";
      try {
        const fallback = { hostname: "127.0.0.1", port: ${port} };
        await serve("web", { fallback }, () => new Response());
        console.log("served");
      } catch (error) {
        console.log(error.code, error.message);
      }
      setInterval(() => {}, 1000);
    `;
    fs.writeFileSync(script, source);
    const program = await bindSockets(
      ["web=tcp:127.0.0.1:0"],
      (sockets) => startActivated(t, [bun, "--watch", script], sockets),
    );
    await program.until("a server", () => program.stdout.includes("served"));
    const message = await changeUntil(
      program,
      script,
      `${source}\n`,
      () => /^not-open (.*)$/m.exec(program.stdout)?.[1],
    );
    assert.match(
      message,
      /^Serving HTTP on "web": descriptor 3 \("web"\) was not passed: .*listenfds run --watch/,
    );
  });

  for (const entry of ["mod.ts", "src/bun.ts"]) {
    test(`bun --hot on ${label} reloads the servers of ${entry}`, async (t) => {
      const script = path.join(temporaryDirectory(t), "service.ts");
      const source = (version: string) => {
        const serve = (name: string, target = name) =>
          entry === "mod.ts"
            ? `await serve("${target}", () => new Response("${name} ${version}"));`
            : `await serve("${target}", { fetch: () => new Response("${name} ${version}") });`;
        return `
          import { serve } from "${ROOT}/${entry}";
          ${serve("web")}
          ${serve("admin", "systemd:admin")}
          const second = await serve("web", ${
          entry === "mod.ts"
            ? "() => new Response()"
            : "{ fetch: () => new Response() }"
        }).catch(({ code }) => code);
          console.log("${version}", second);
        `;
      };
      fs.writeFileSync(script, source("one"));
      const names = ["web=tcp:127.0.0.1:0", "admin=tcp:127.0.0.1:0"];
      let ports: number[] = [];
      const program = await bindSockets(names, (sockets) => {
        ports = sockets.map(({ port }) => port!);
        return startActivated(t, [bun, "--hot", script], sockets);
      });
      const bodies = () => Promise.all(ports.map((port) => getBody(port, "/")));
      await program.until(
        "the first evaluation",
        () => program.stdout.includes("one already-claimed"),
      );
      assert.deepEqual(await bodies(), ["web one", "admin one"]);
      for (const version of ["two", "three"]) {
        await changeUntil(
          program,
          script,
          source(version),
          () => program.stdout.includes(`${version} already-claimed`),
        );
        assert.deepEqual(await bodies(), [
          `web ${version}`,
          `admin ${version}`,
        ]);
      }
    });
  }

  test(`bun --hot on ${label} shuts a reloaded server down gracefully`, async (t) => {
    const script = path.join(temporaryDirectory(t), "service.ts");
    const source = (version: string, options: string) => `
      import { serve } from "${ROOT}/mod.ts";
      const server = await serve("web", { ${options} }, async () => {
        console.log("request");
        await Bun.sleep(500);
        return new Response("${version}");
      });
      server.finished.then(() => process.exit(9));
      console.log("${version}");
    `;
    fs.writeFileSync(script, source("one", "gracefulShutdown: false"));
    let port = 0;
    const program = await bindSockets(["web=tcp:127.0.0.1:0"], (sockets) => {
      port = sockets[0]!.port!;
      return startActivated(t, [bun, "--hot", script], sockets);
    });
    await program.until("a server", () => program.stdout.includes("one"));
    await changeUntil(
      program,
      script,
      source("two", ""),
      () => program.stdout.includes("two"),
    );
    const body = getBody(port, "/");
    await program.until("it", () => program.stdout.includes("request"));
    program.process.kill("SIGTERM");
    assert.equal(await body, "two");
    assert.equal(await program.exited, 9, program.output);
  });

  test(`bun --hot on ${label} ends when a reloaded server is idle`, async (t) => {
    const script = path.join(temporaryDirectory(t), "service.ts");
    const source = (version: string, options: string) => `
      import { serve } from "${ROOT}/mod.ts";
      await serve("web", { ${options} }, () => new Response("${version}"));
      console.log("${version}");
    `;
    fs.writeFileSync(script, source("one", "exitWhenIdle: 60_000"));
    let port = 0;
    const program = await bindSockets(["web=tcp:127.0.0.1:0"], (sockets) => {
      port = sockets[0]!.port!;
      return startActivated(t, [bun, "--hot", script], sockets);
    });
    await program.until("a server", () => program.stdout.includes("one"));
    assert.equal(await getBody(port, "/"), "one");
    await changeUntil(
      program,
      script,
      source("two", "exitWhenIdle: 300"),
      () => program.stdout.includes("two"),
    );
    // Changes while the process ends don't keep it.
    let changes = 3;
    const timer = setInterval(() => {
      fs.writeFileSync(script, source("two", "exitWhenIdle: 300"));
      if (--changes === 0) clearInterval(timer);
      // Longer than the time of idleness, which a change begins anew.
    }, 450);
    t.after(() => clearInterval(timer));
    assert.equal(await program.exited, 0, program.output);
  });

  test(`bun --hot on ${label} reloads a server at its fallback`, async (t) => {
    const script = path.join(temporaryDirectory(t), "service.ts");
    const [port] = await freePorts(1) as [number];
    const source = (version: string) => `
      import { serve } from "${ROOT}/mod.ts";
      const fallback = { hostname: "127.0.0.1", port: ${port} };
      await serve("web", { fallback }, () => new Response("${version}"));
      console.log("${version}");
    `;
    fs.writeFileSync(script, source("one"));
    const program = startProgram(t, [bun, "--hot", script]);
    await program.until("a server", () => program.stdout.includes("one"));
    assert.equal(await getBody(port, "/"), "one");
    await changeUntil(
      program,
      script,
      source("two"),
      () => program.stdout.includes("two"),
    );
    assert.equal(await getBody(port, "/"), "two");
  });
});

forEachHost(hostsWith({ hasOwnServers: true }), (host) => {
  for (const order of [undefined, "first", "bare"]) {
    const name = order === undefined ? "" : ` that begins ${order}`;
    test(`a worker thread on ${host.label}${name} never serves the sockets of its process, nor the fallback`, async (t) => {
      const [port] = await freePorts(1);
      const command = host.command(
        `${ROOT}/tests/fixtures/worker_after.ts`,
        String(port),
        ...order === undefined ? [] : [order],
      );
      await bindSockets(["web=tcp:127.0.0.1:0"], async (sockets) => {
        const program = startActivated(t, command, sockets);
        await program.until("an answer", () => program.stdout.includes("\n"));
        assert.match(
          program.stdout,
          /^not-activated worker Serving HTTP on "web": .*worker thread.*main thread.*unit --instances/,
        );
        if (order === undefined) return;
        await program.until(
          "the main thread to serve",
          () => program.stdout.includes("main served"),
        );
        assertListensOnly(program, sockets);
        const port = sockets[0]!.port!;
        assert.equal(await getBody(port, "/"), "hello\n");
      });
    });
  }
});
