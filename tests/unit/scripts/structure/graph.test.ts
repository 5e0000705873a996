import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkGraph,
  type Graph,
  type Import,
  readGraph,
} from "../../../../scripts/structure/graph.ts";
import { formatProblems } from "../../../../scripts/structure/problem.ts";

const PACKAGE = "npm:typescript@^5.9.3";

/** A graph of imports such as `src/a.ts -> src/b.ts`, one on each line. */
function graph(imports: string, kind: Import["kind"] = "static"): Graph {
  const edges = imports.trim().split("\n").map((text, index) => {
    const [from, to] = text.trim().split(" -> ") as [string, string];
    return { from, to, kind, line: index + 1 };
  });
  const paths = edges.flatMap(({ from, to }) => [from, to]);
  const files = paths.filter((path) => !path.includes(":"));
  return { files: [...new Set(files)], imports: edges };
}

/** The problems up to what is to be done. */
function problemsOf(graph: Graph, sources: readonly string[] = []): string[] {
  return formatProblems(checkGraph(graph, sources))
    .map((line) => line.replace(/^([^:]*:\d+: .*): .*$/, "$1"));
}

test("readGraph() reads each kind of import once, and only of the repository", () => {
  const target = (specifier: string, line: number) => ({
    specifier,
    span: { start: { line } },
  });
  const dependencies = [
    { code: target("file:///x/src/b.ts", 0) },
    { type: target("node:net", 1) },
    {
      code: target(PACKAGE, 9),
      type: target(PACKAGE, 2),
      isDynamic: true,
    },
  ];
  const info = {
    modules: [
      { specifier: "file:///x/src/a.ts", dependencies },
      { specifier: "file:///x/src/b.ts" },
      { specifier: "node:net" },
    ],
  };
  assert.deepEqual(readGraph([info, info], "file:///x/"), {
    files: ["src/a.ts", "src/b.ts"],
    imports: [
      { from: "src/a.ts", to: "src/b.ts", line: 1, kind: "static" },
      { from: "src/a.ts", to: "node:net", line: 2, kind: "type" },
      { from: "src/a.ts", to: PACKAGE, line: 10, kind: "dynamic" },
      { from: "src/a.ts", to: PACKAGE, line: 3, kind: "type" },
    ],
  });
});

test("readGraph() throws where a module or an import can't be resolved", () => {
  const span = { start: { line: 0 } };
  const specifier = "file:///x/a.ts";
  for (
    const module of [
      { specifier, error: "not found" },
      { specifier, dependencies: [{ code: { error: "not found", span } }] },
    ]
  ) {
    assert.throws(
      () => readGraph([{ modules: [module] }], "file:///x/"),
      /^Error: Reading a\.ts: not found$/,
    );
  }
});

test("files import their own group and lower layers", () => {
  const found = problemsOf(graph(`
    src/core/activation.ts -> src/core/errors.ts
    src/linux/adopt.ts -> src/ffi/libc.ts
    src/shutdown/drain.ts -> src/runtime/http/tracker.ts
    src/runtime/select.ts -> src/runtime/current.ts
    src/runtime/current.ts -> src/runtime/deno/platform.ts
    src/cli/shared/verb.ts -> src/cli/shared/systemd/values.ts
    src/cli/shared/systemd/unit.ts -> src/cli/shared/disk.ts
    src/cli/bin.ts -> src/serve.ts
    mod.ts -> src/core/mod.ts
  `));
  assert.deepEqual(found, []);
});

test("a file that imports a higher layer is reported, for types, too", () => {
  const arrows = graph(
    `
    src/core/info.ts -> src/linux/procfs.ts
    src/ffi/libc.ts -> src/runtime/builtin.ts
    src/linux/chain.ts -> src/runtime/builtin.ts
    src/runtime/http/fetch.ts -> src/shutdown/drain.ts
    src/runtime/platform.ts -> src/runtime/current.ts
    src/serve.ts -> src/cli/main.ts
    src/cli/shared/use.ts -> src/cli/unit/unit.ts
  `,
  );
  for (const kind of ["static", "type", "dynamic"] as const) {
    const imports = arrows.imports.map((each) => ({ ...each, kind }));
    assert.deepEqual(problemsOf({ ...arrows, imports }), [
      "src/cli/shared/use.ts:7: imports src/cli/unit/unit.ts of a higher layer",
      "src/core/info.ts:1: imports src/linux/procfs.ts of a higher layer",
      "src/ffi/libc.ts:2: imports src/runtime/builtin.ts of a higher layer",
      "src/linux/chain.ts:3: imports src/runtime/builtin.ts of a higher layer",
      "src/runtime/http/fetch.ts:4: imports src/shutdown/drain.ts of a higher " +
      "layer",
      "src/runtime/platform.ts:5: imports src/runtime/current.ts of a higher " +
      "layer",
      "src/serve.ts:6: imports src/cli/main.ts of a higher layer",
    ]);
  }
});

test("groups of one layer that import each other are reported", () => {
  const found = problemsOf(graph(`
    src/core/info.ts -> src/ffi/libc.ts
    src/runtime/deno/server.ts -> src/runtime/node/server.ts
    src/cli/run/run.ts -> src/cli/unit/unit.ts
  `));
  assert.deepEqual(found, [
    "src/cli/run/run.ts:3: imports src/cli/unit/unit.ts, but src/cli/run and " +
    "src/cli/unit don't import each other",
    "src/core/info.ts:1: imports src/ffi/libc.ts, but src/core, " +
    "src/core/launchers, src/core/systemd and src/ffi don't import each other",
    "src/runtime/deno/server.ts:2: imports src/runtime/node/server.ts, but " +
    "src/runtime/deno and src/runtime/node don't import each other",
  ]);
});

test("a file of src that imports a file outside of it is reported", () => {
  const found = problemsOf(graph(`
    src/serve.ts -> mod.ts
    src/cli/version.ts -> deno.json
    scripts/demo.ts -> tests/fixtures/service.ts
  `));
  assert.deepEqual(found, [
    "src/cli/version.ts:2: imports deno.json, which is outside src",
    "src/serve.ts:1: imports mod.ts, which is outside src",
  ]);
});

test("built-in modules are imported statically by src/cli alone", () => {
  const imports = `
    src/runtime/node/server.ts -> node:net
    src/cli/run/run.ts -> node:process
    mod.ts -> bun:ffi
  `;
  assert.deepEqual(problemsOf(graph(imports)), [
    "mod.ts:3: imports bun:ffi statically",
    "src/runtime/node/server.ts:1: imports node:net statically",
  ]);
  assert.deepEqual(problemsOf(graph(imports, "type")), []);
  assert.deepEqual(problemsOf(graph(imports, "dynamic")), []);
});

test("no package is imported, because users get none", () => {
  for (const name of [PACKAGE, "jsr:@std/path"]) {
    for (const kind of ["static", "dynamic", "type"] as const) {
      const imports = graph(`src/cli/main.ts -> ${name}`, kind);
      assert.deepEqual(problemsOf(imports), [
        `src/cli/main.ts:1: imports ${name}, which users don't get`,
      ]);
    }
  }
});

test("each cycle is reported once, where it begins", () => {
  const cycles = graph(
    `
    src/core/c.ts -> src/core/a.ts
    src/core/b.ts -> src/core/c.ts
    src/core/a.ts -> src/core/b.ts
    src/core/b.ts -> src/core/a.ts
    src/core/d.ts -> src/core/d.ts
    src/core/d.ts -> src/core/a.ts
  `,
    "type",
  );
  assert.deepEqual(problemsOf(cycles), [
    "src/core/a.ts:3: cycle of imports, src/core/a.ts -> src/core/b.ts -> " +
    "src/core/a.ts",
    "src/core/a.ts:3: cycle of imports, src/core/a.ts -> src/core/b.ts -> " +
    "src/core/c.ts -> src/core/a.ts",
    "src/core/d.ts:5: cycle of imports, src/core/d.ts -> src/core/d.ts",
  ]);
});

test("dynamic imports and imports of the same files make no cycle", () => {
  const back = graph("src/core/b.ts -> src/core/a.ts", "dynamic").imports;
  const { files, imports } = graph(`
    src/core/a.ts -> src/core/b.ts
    src/core/a.ts -> src/core/c.ts
    src/core/b.ts -> src/core/c.ts
  `);
  assert.deepEqual(problemsOf({ files, imports: [...imports, ...back] }), []);
});

test("a cycle of several layers is reported as the import that closes it", () => {
  const found = problemsOf(graph(`
    src/linux/a.ts -> src/core/b.ts
    src/core/b.ts -> src/linux/a.ts
  `));
  assert.deepEqual(found, [
    "src/core/b.ts:2: imports src/linux/a.ts of a higher layer",
  ]);
});

test("files that no entry point imports, or of no layer, are reported", () => {
  const found = problemsOf(graph("src/serve.ts -> src/new/a.ts"), [
    "src/serve.ts",
    "src/new/a.ts",
    "src/core/unused.ts",
  ]);
  assert.deepEqual(found, [
    "src/core/unused.ts:1: no entry point imports this file",
    "src/new/a.ts:1: belongs to no layer",
  ]);
});
