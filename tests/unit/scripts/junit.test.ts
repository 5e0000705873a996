import assert from "node:assert/strict";
import { test } from "node:test";
import { countReport } from "../../../scripts/junit.ts";

test("countReport() counts what Node writes", () => {
  assert.deepEqual(
    countReport(`<testsuites>
      <testcase name="a" time="0.1" classname="test"/>
      <testsuite name="b"><testcase name="a &gt; b"/></testsuite>
      <testcase name="c"><failure type="x" message="&lt;y&gt;">z</failure>
      </testcase>
      <testcase name="d"><skipped type="skipped" message="e"/></testcase>
    </testsuites>`),
    { passed: 2, failed: 1, skipped: 1 },
  );
});

test("countReport() counts what Deno and Bun write", () => {
  assert.deepEqual(
    countReport(`<testsuites name="deno test" tests="4" failures="1">
      <testcase name="a" classname="./a.test.ts" line="4" col="1">
      </testcase>
      <testcase name="b" file="b.ts"><failure type="AssertionError" /></testcase>
      <testcase name="c"><error message="x"></error></testcase>
      <testcase name="d"><skipped /></testcase>
    </testsuites>`),
    { passed: 1, failed: 2, skipped: 1 },
  );
});

test("countReport() finds nothing in an empty report", () => {
  assert.deepEqual(countReport(""), { passed: 0, failed: 0, skipped: 0 });
});
