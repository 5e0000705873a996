import assert from "node:assert/strict";
import { test } from "node:test";
import { countReport, findFailures } from "../../../scripts/junit.ts";

test("countReport() counts what Node writes", () => {
  assert.deepEqual(
    countReport(`<testsuites>
      <testcase name="a" time="0.1" classname="test"/>
      <testsuite name="b"><testcase name="a > b"/></testsuite>
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

test("findFailures() tells which tests failed with which message", () => {
  assert.deepEqual(
    findFailures(`<testsuites name="all">
      <testcase name="a &lt;b> &amp;quot;c&amp;quot;" failure="x&#10;">
        <failure type="x" message="x&#10;  is &lt;1&gt;&#10;">y</failure>
      </testcase>
      <testcase name="passed"/>
      <testcase name="d &amp; &quot;e&quot;" classname="f"><error message="over
two lines">g</error></testcase>
      <testcase name="without"><failure type="AssertionError" /></testcase>
    </testsuites>`),
    [
      { name: 'a <b> "c"', message: "x\n  is <1>" },
      { name: 'd & "e"', message: "over\ntwo lines" },
      { name: "without", message: "" },
    ],
  );
});
