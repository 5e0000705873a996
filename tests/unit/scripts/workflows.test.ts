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
const [CI, DOCS, PUBLISH] = TEXTS as [string, string, string];

/** All that a pattern finds in the workflows. */
function find(pattern: RegExp, texts: readonly string[] = TEXTS): string[] {
  return texts.flatMap((text) =>
    [...text.matchAll(pattern)].map(([, found]) => found!)
  );
}

test("the workflows are those that the tests know", () => {
  assert.deepEqual(WORKFLOWS, ["ci.yml", "docs.yml", "publish.yml"]);
});

test("the workflows run tasks that there are", () => {
  const { tasks } = JSON.parse(read("deno.json"));
  const named = find(/\bdeno task ([\w:]+)/g);
  assert.ok(named.length >= 5, "the tasks were not found");
  for (const name of named) assert.ok(name in tasks, `no task ${name}`);
});

test("ci runs what .ci/run runs, and what only other machines can", () => {
  const named = find(/\bdeno task ([\w:]+)/g, [CI]);
  const here = find(/"\$\{deno\[@\]\}" task ([\w:]+)/g, [read(".ci/run")]);
  assert.ok(here.length >= 2, "the tasks of .ci/run were not found");
  for (const name of here) assert.ok(named.includes(name), name);
  for (const os of ["ubuntu-latest", "ubuntu-24.04-arm", "macos-latest"]) {
    assert.ok(CI.includes(os), os);
  }
});

test("the workflows and .ci/run use one version of Deno", () => {
  const versions = find(/deno-version: (\S+)/g);
  assert.equal(
    versions.length,
    find(/uses: (denoland\/setup-deno@)/g).length,
  );
  const [here] = find(/\bdeno@([\d.]+)/g, [read(".ci/run")]);
  assert.deepEqual([...new Set(versions)], [here]);
});

test("the workflows use actions by a version or its commit, or each other", () => {
  const used = find(/^\s*(?:- )?uses: (\S+(?: # v[\d.]+)?)$/gm);
  assert.ok(used.length >= 5, "the actions were not found");
  for (const each of used) {
    const isLocal = each.startsWith("./.github/workflows/");
    if (isLocal) assert.ok(WORKFLOWS.includes(each.split("/").at(-1)!), each);
    else assert.match(each, /^[\w-]+\/[\w-]+@(?:v\d+|[\da-f]{40} # v[\d.]+)$/);
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
  assert.doesNotMatch(CI, /id-token|secrets/);
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
