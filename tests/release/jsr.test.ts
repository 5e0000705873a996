/**
 * The package as JSR gives it: programs of Deno import it with `jsr:`, from this
 * checkout, which they are linked to. The tests run where JSR can be reached only,
 * as part of `deno task release:check`; so imports from JSR are dynamic, which
 * type checks and installations without JSR skip.
 */

import { fileURLToPath } from "node:url";

const ROOT = new URL("../../", import.meta.url);
const { name, version, exports } = JSON.parse(
  await Deno.readTextFile(new URL("deno.json", ROOT)),
);

/** Creates a project that has the package from JSR, and runs Deno in it. */
async function runLinked(
  code: string,
  ...args: string[]
): Promise<{ success: boolean; output: string }> {
  const directory = await Deno.makeTempDir({ prefix: "listenfds-jsr-" });
  try {
    await Deno.writeTextFile(
      `${directory}/deno.json`,
      JSON.stringify({
        links: [fileURLToPath(ROOT)],
        imports: { [name]: `jsr:${name}@${version}` },
      }),
    );
    await Deno.writeTextFile(`${directory}/main.ts`, code);
    const { success, stdout, stderr } = await new Deno.Command(
      Deno.execPath(),
      {
        args: ["run", "--quiet", "--check", ...args],
        cwd: directory,
        env: { NO_COLOR: "1" },
        stdin: "null",
      },
    ).output();
    const [out, errors] = [stdout, stderr].map((each) =>
      new TextDecoder().decode(each)
    );
    return { success, output: `${out}${errors}` };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("every entry point but the command can be imported with jsr:", async () => {
  const { assertEquals } = await import("@std/assert");
  const specifiers = Object.keys(exports)
    .filter((each) => each !== "./cli")
    .map((each) => `${name}${each.slice(1)}`);
  const code = specifiers.map((each, at) =>
    `import * as m${at} from "${each}"; console.log(Object.keys(m${at}).length > 0);`
  ).join("\n");
  const { success, output } = await runLinked(code, "main.ts");
  assertEquals(success, true, output);
  assertEquals(output, "true\n".repeat(specifiers.length));
});

Deno.test("the command runs with jsr:", async () => {
  const { assertEquals } = await import("@std/assert");
  const run = (...args: string[]) =>
    runLinked("", "-A", `jsr:${name}@${version}/cli`, ...args);
  const help = await run("--help");
  assertEquals(help.success, true, help.output);
  assertEquals(help.output.startsWith("Usage: listenfds "), true, help.output);
  const wrong = await run("--no-such-option");
  assertEquals(wrong.success, false, wrong.output);
});

Deno.test("the command doesn't run when it is imported", async () => {
  const { assertEquals } = await import("@std/assert");
  const code = `import { main } from "${name}/cli"; console.log(typeof main);`;
  const { output } = await runLinked(code, "main.ts");
  assertEquals(output, "function\n");
});

Deno.test("a program that is not activated serves on its fallback", async () => {
  const { assertEquals } = await import("@std/assert");
  const { getAvailablePort } = await import("@std/net");
  const port = getAvailablePort();
  const code = `
    import { serve } from "${name}";
    const fallback = { hostname: "127.0.0.1", port: ${port} };
    const server = await serve("web", { fallback }, () => new Response("hi\\n"));
    const response = await fetch("http://127.0.0.1:${port}/");
    console.log(JSON.stringify(server.addresses), await response.text());
    await server.shutdown();
  `;
  const variables = "LISTEN_PID,LISTEN_PIDFDID,LISTEN_FDS,LISTEN_FDNAMES";
  const { success, output } = await runLinked(
    code,
    "--no-prompt",
    "--allow-net",
    `--allow-env=${variables}`,
    "main.ts",
  );
  assertEquals(success, true, output);
  const address = { kind: "ipv4", hostname: "127.0.0.1", port };
  const [shown, text] = output.trimEnd().split(" ");
  assertEquals([JSON.parse(shown!), text], [[address], "hi"]);
});
