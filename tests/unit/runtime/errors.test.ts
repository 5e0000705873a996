import assert from "node:assert/strict";
import os from "node:os";
import { test } from "node:test";
import { listenError } from "../../../src/runtime/errors.ts";

const { EACCES, EADDRINUSE, EINVAL, EPERM } = os.constants.errno;

test("listenError() tells a denied permission from another error", () => {
  const denied = Object.assign(new Error("no net"), { name: "NotCapable" });
  const errors: readonly [object, string, number | undefined][] = [
    [{ code: "EACCES", errno: -EACCES }, "permission", EACCES],
    [{ code: "EPERM" }, "permission", EPERM],
    [denied, "permission", undefined],
    [{ code: "EADDRINUSE", errno: -EADDRINUSE }, "system", EADDRINUSE],
    [{ code: "EINVAL" }, "system", EINVAL],
    [{ code: "toString" }, "system", undefined],
    [{}, "system", undefined],
  ];
  for (const [fields, code, errno] of errors) {
    const cause = Object.assign(new Error("refused"), fields);
    const error = listenError(cause, "Testing");
    assert.deepEqual([error.code, error.errno], [code, errno]);
    assert.equal(error.cause, cause);
    assert.match(error.message, /^Testing: (refused|no net)$/);
  }
});
