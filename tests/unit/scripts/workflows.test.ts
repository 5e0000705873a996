/**
 * The workflows run where they can't be tried from here: so what they name is
 * looked for.
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../../../", import.meta.url);
const DIRECTORY = ".github/workflows/";

const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");
const WORKFLOWS = readdirSync(new URL(DIRECTORY, ROOT)).sort();
const TEXTS = WORKFLOWS.map((name) => read(DIRECTORY + name));
const [BREADTH, CI, DOCS, PUBLISH] = TEXTS as [string, string, string, string];

/** A task in a matrix. */
const MATRIX_TASK = /"(test:[\w-]+)/g;

/** All that a pattern finds in the workflows. */
function find(pattern: RegExp, texts: readonly string[] = TEXTS): string[] {
  return texts.flatMap((text) =>
    [...text.matchAll(pattern)].map(([, found]) => found!)
  );
}

test("the workflows are those that the tests know", () => {
  assert.deepEqual(WORKFLOWS, [
    "breadth.yml",
    "ci.yml",
    "docs.yml",
    "publish.yml",
  ]);
});

test("the workflows run tasks that there are", () => {
  const { tasks } = JSON.parse(read("deno.json"));
  const named = [...find(/\btask ([\w:-]+)/g), ...find(MATRIX_TASK)];
  assert.ok(named.length >= 15, "the tasks were not found");
  for (const name of named) assert.ok(name in tasks, `no task ${name}`);
});

test("ci runs what .ci/run runs, and what only other machines can", () => {
  const here = find(/"\$\{deno\[@\]\}" task ([\w:]+)/g, [read(".ci/run")]);
  assert.deepEqual(here, ["check", "test"]);
  assert.match(CI, /deno task check$/m);
  const suites = find(/^ *\? \[("unit", [^\]]*)\]$/gm, [
    read("scripts/test.ts"),
  ]);
  const expected = suites[0]!.match(/\w[\w-]*/g)!
    // Part of test:systemd, with the systemd of a later Debian.
    .filter((suite) => suite !== "systemd-differences");
  assert.ok(expected.length >= 5, "the suites of all tests were not found");
  for (const suite of expected) {
    assert.match(CI, new RegExp(`\\btest:${suite}\\b`), suite);
  }
  for (const os of ["ubuntu-latest", "ubuntu-24.04-arm", "macos-latest"]) {
    assert.ok(CI.includes(os), os);
  }
});

test("breadth runs each task that takes too long for each change", () => {
  const { tasks } = JSON.parse(read("deno.json"));
  const everywhere = [CI, BREADTH, DOCS].join();
  for (const name of Object.keys(tasks)) {
    // What the others run, in one task.
    if (!name.startsWith("test:") || name === "test:all") continue;
    assert.match(everywhere, new RegExp(`\\b${name}(?![\\w-])`), name);
  }
});

test("the workflows and .ci/run use one version of Deno", () => {
  const versions = find(/deno-version: (\S+)/g);
  assert.equal(
    versions.length,
    find(/uses: (denoland\/setup-deno)@/g).length,
  );
  const [here] = find(/\bdeno@([\d.]+)/g, [read(".ci/run")]);
  assert.deepEqual([...new Set(versions)], [here]);
});

test("the workflows use actions by a commit, or each other", () => {
  const used = find(/^\s*(?:- )?uses: (.+)$/gm);
  assert.ok(used.length >= 10, "the actions were not found");
  const commits = new Map<string, string>();
  for (const each of used) {
    if (each.startsWith("./.github/workflows/")) {
      assert.ok(WORKFLOWS.includes(each.split("/").at(-1)!), each);
      continue;
    }
    // A tag can be moved; the comment is for readers, and for updates.
    const match = /^([\w-]+\/[\w-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$/.exec(
      each,
    );
    assert.ok(match, each);
    const [, action, commit] = match as unknown as [string, string, string];
    assert.equal(commits.get(action) ?? commit, commit, `two of ${action}`);
    commits.set(action, commit);
  }
});

/** The text of each job of publish.yml, by its name. */
const JOBS = new Map(
  PUBLISH.slice(PUBLISH.indexOf("\njobs:\n")).split(/^ {2}(?=[a-z])/m).slice(1)
    .map((text) => [text.slice(0, text.indexOf(":")), text]),
);

test("publish checks the tag, then everything else, then uses npm before JSR", () => {
  assert.deepEqual([...JOBS.keys()], ["version", "ci", "npm", "jsr"]);
  assert.match(JOBS.get("version")!, /deno task release:version/);
  assert.match(JOBS.get("ci")!, /^ +needs: version$/m);
  assert.match(JOBS.get("npm")!, /^ +needs: ci$/m);
  assert.match(JOBS.get("npm")!, /^ +run: npm publish .*--provenance/m);
  assert.match(JOBS.get("jsr")!, /^ +needs: npm$/m);
  assert.match(JOBS.get("jsr")!, /^ +run: deno publish$/m);
  assert.match(PUBLISH, /tags: \["v\*"\]/);
});

test("only protected jobs that run no task have the identity to publish", () => {
  assert.doesNotMatch(CI + BREADTH, /id-token|secrets/);
  assert.match(CI, /deno task release:check/);
  for (const [name, text] of JOBS) {
    const publishes = name === "npm" || name === "jsr";
    assert.equal(/^ +id-token: write$/m.test(text), publishes, name);
    assert.equal(/^ +environment: release$/m.test(text), publishes, name);
    if (publishes) {
      assert.doesNotMatch(text, /deno (?:task|run|test)|npx|cache:\s*true/);
    }
  }
});

test("docs deploys the site in a job that runs nothing of the project", () => {
  const [build, deploy] = DOCS.split(/^ {2}deploy:$/m) as [string, string];
  assert.doesNotMatch(build, /id-token|secrets|pages: write/);
  assert.match(deploy, /^ +pages: write\n +id-token: write$/m);
  assert.doesNotMatch(deploy, /^ +(?:- )?run:/m);
  assert.match(DOCS, /^permissions:\n {2}contents: read$/m);
});

test("npm gets the tarball that ci checked", () => {
  const names = find(/^ +name: (npm-package)$/gm);
  assert.equal(names.length, 2);
  assert.match(CI, /value: \$\{\{ jobs\.release\.outputs\.checksum \}\}/);
  const job = JOBS.get("npm")!;
  assert.match(job, /CHECKSUM: \$\{\{ needs\.ci\.outputs\.checksum \}\}/);
  assert.ok(job.indexOf("sha256sum --check") < job.indexOf("npm publish"));
});
