import assert from "node:assert/strict";
import { test } from "node:test";
import {
  distributionTag,
  versionProblem,
} from "../../../scripts/release_version.ts";

const CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-02\n";

test("versionProblem() finds nothing wrong with the tag of the version", () => {
  assert.equal(versionProblem("v1.2.3", "1.2.3", CHANGELOG), undefined);
});

test("versionProblem() rejects another tag, and says which one it should be", () => {
  for (const tag of ["", "1.2.3", "v1.2.30", "v1.2.3-rc.1", "v1.2.3\n"]) {
    assert.match(
      versionProblem(tag, "1.2.3", CHANGELOG)!,
      /^Comparing the tag with deno\.json: expected "v1\.2\.3", found "/,
    );
  }
});

test("versionProblem() wants to be told what is new", () => {
  assert.equal(
    versionProblem("v2.0.0", "2.0.0", CHANGELOG),
    'Reading CHANGELOG.md: expected a section "## [2.0.0]", found none: move ' +
      "what is unreleased there",
  );
});

test("versionProblem() takes prereleases that have a section", () => {
  const changelog = "## [1.2.3-rc.1] - 2026-01-02\n";
  assert.equal(
    versionProblem("v1.2.3-rc.1", "1.2.3-rc.1", changelog),
    undefined,
  );
  assert.match(
    versionProblem("v1.2.3-rc.1", "1.2.3-rc.1", CHANGELOG)!,
    /^Reading CHANGELOG\.md: /,
  );
});

test("versionProblem() rejects versions that JSR or npm would reject or change", () => {
  const wrong = [
    "1.2",
    "1.2.3.4",
    "01.2.3",
    "1.2.3-",
    "1.2.3-rc..1",
    "1.2.3-01",
  ];
  for (const version of [...wrong, "1.2.3+build", "next", "", "1.2.3\n"]) {
    assert.match(
      versionProblem(`v${version}`, version, `## [${version}]\n`)!,
      /^Reading deno\.json: expected a version such as "1\.2\.3" /,
      version,
    );
  }
});

test("distributionTag() keeps prereleases from being the latest version", () => {
  assert.equal(distributionTag("1.2.3"), undefined);
  assert.equal(distributionTag("1.2.3-rc.1"), "next");
});
