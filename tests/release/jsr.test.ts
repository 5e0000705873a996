/**
 * The package as JSR gives it: programs of Deno import it with `jsr:`, from this
 * checkout, which they are linked to. It runs where JSR can be reached only, as
 * part of `deno task release:check`; so what comes from there is imported when it
 * is run, and is not in `deno.json`.
 */

/** What is used of `@std/assert`. */
interface Assert {
  assertEquals(actual: unknown, expected: unknown, message?: string): void;
  assertStringIncludes(actual: string, expected: string): void;
}

/** What is used of `@std/net`. */
interface Net {
  getAvailablePort(): number;
}

const ASSERT = "jsr:@std/assert@1";
const NET = "jsr:@std/net@1";
const ROOT = new URL("../../", import.meta.url);
const { name, version, exports } = JSON.parse(
  await Deno.readTextFile(new URL("deno.json", ROOT)),
);

/** Runs a program in a project that has the package from JSR. */
async function runLinked(
  code: string,
  ...flags: string[]
): Promise<{ success: boolean; output: string }> {
  const directory = await Deno.makeTempDir({ prefix: "listenfds-jsr-" });
  try {
    await Deno.writeTextFile(
      `${directory}/deno.json`,
      JSON.stringify({
        links: [ROOT.pathname],
        imports: { [name]: `jsr:${name}@${version}` },
      }),
    );
    await Deno.writeTextFile(`${directory}/main.ts`, code);
    const { success, stdout, stderr } = await new Deno.Command(
      Deno.execPath(),
      {
        args: ["run", "--quiet", "--check", ...flags, "main.ts"],
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
  const { assertEquals }: Assert = await import(ASSERT);
  const specifiers = Object.keys(exports)
    .filter((each) => each !== "./cli")
    .map((each) => `${name}${each.slice(1)}`);
  const code = specifiers.map((each, at) =>
    `import * as m${at} from "${each}"; console.log(Object.keys(m${at}).length > 0);`
  ).join("\n");
  const { success, output } = await runLinked(code);
  assertEquals(success, true, output);
  assertEquals(output, "true\n".repeat(specifiers.length));
});

Deno.test("the command can be run with jsr:", async () => {
  const { assertStringIncludes }: Assert = await import(ASSERT);
  const { output } = await runLinked(`import "${name}/cli";`, "-A");
  assertStringIncludes(output, "listenfds");
});

Deno.test("a program that is not activated serves on its fallback", async () => {
  const { assertEquals }: Assert = await import(ASSERT);
  const { getAvailablePort }: Net = await import(NET);
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
  );
  assertEquals(success, true, output);
  const address = { kind: "ipv4", hostname: "127.0.0.1", port };
  const [shown, text] = output.trimEnd().split(" ");
  assertEquals([JSON.parse(shown!), text], [[address], "hi"]);
});
