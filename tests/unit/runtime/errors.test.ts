import assert from "node:assert/strict";
import os from "node:os";
import { test } from "node:test";
import { LibcError } from "../../../src/ffi/descriptor_calls.ts";
import { bindError, listenError } from "../../../src/runtime/errors.ts";

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

test("listenError() names the errors of the C library", () => {
  const used = listenError(new LibcError("bind", 98), "Testing");
  assert.deepEqual([used.code, used.errno], ["system", 98]);
  assert.equal(used.message, "Testing: bind EADDRINUSE");
  for (const errno of [1, 13]) {
    const { code } = listenError(new LibcError("bind", errno), "Testing");
    assert.equal(code, "permission");
  }
  const unknown = listenError(new LibcError("bind", 4000), "Testing");
  assert.equal(unknown.message, "Testing: bind error 4000");
});

test("bindError() says what to do", () => {
  const port = { hostname: "192.0.2.1", port: 80 };
  const path = { path: "/run/x/a.sock" };
  const cases: readonly [number, object, RegExp][] = [
    [98, port, /end the process that uses the port/],
    [98, path, /end the process that listens there, or remove the path$/],
    [99, port, /set an address of this machine/],
    [97, port, /RestrictAddressFamilies=$/],
    [13, port, /AmbientCapabilities=CAP_NET_BIND_SERVICE in the service unit$/],
    [13, path, /a directory that this user can write to/],
    [1, port, /SocketBindAllow= with the port/],
    [2, path, /create the directory, such as with RuntimeDirectory=$/],
    [20, path, /create the directory/],
  ];
  for (const [errno, fallback, remedy] of cases) {
    const cause = new LibcError("bind", errno);
    const error = bindError(cause, fallback as typeof port, "Serving");
    assert.match(error.message, /^Serving: binding .*: bind E[A-Z]+: /);
    assert.match(error.message, remedy);
    assert.deepEqual([error.errno, error.cause], [errno, cause]);
  }
  const other = bindError(new LibcError("bind", 22), port, "Serving");
  assert.match(other.message, /: bind EINVAL$/);
});
