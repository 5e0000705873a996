/** What `inspect` says of notifications, the watchdog and the store. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { examine } from "../../../../src/cli/inspect/examine.ts";
import type {
  MetadataSource,
  ServiceVariables,
  Subject,
} from "../../../../src/cli/inspect/report.ts";
import { styleFor } from "../../../../src/cli/inspect/style.ts";
import { formatReport } from "../../../../src/cli/inspect/table.ts";
import { formatJson } from "../../../../src/cli/inspect/json.ts";
import type { RuntimeName } from "../../../../src/core/types.ts";
import { assertMessage } from "../../helpers.ts";

const PID = 42;

function subject(runtime: RuntimeName, source: MetadataSource): Subject {
  return {
    runtime,
    version: "1.2.3",
    platform: "linux",
    pid: PID,
    pidfdId: () => undefined,
    commandLine: () => undefined,
    inspector: {
      inspect: (fds) =>
        fds.map((fd) => ({ kind: fd === 3 ? "datagram" : "closed" })),
      inspectPath: () => undefined,
    },
    source,
    acceptQueue: () => undefined,
    noAdopter: undefined,
    setsCloseOnExecAtStart: true,
  };
}

/** The findings about notifications, each as its severity, code and message. */
function findings(
  service: ServiceVariables | null,
  runtime: RuntimeName = "bun",
  source: MetadataSource = "libc",
  name = "web",
): string[] {
  const variables = {
    LISTEN_PID: String(PID),
    LISTEN_FDS: "1",
    LISTEN_FDNAMES: name,
  };
  const report = examine(variables, subject(runtime, source), service);
  return report.findings
    .filter(({ code }) => ["notify", "watchdog", "store"].includes(code))
    .map(({ isProblem, code, message }) => {
      assertMessage(message);
      return `${isProblem ? "problem" : "note"} ${code} ${message}`;
    });
}

const SOCKET = { NOTIFY_SOCKET: "/run/systemd/notify" };
const WATCHDOG = { ...SOCKET, WATCHDOG_USEC: "2000000", WATCHDOG_PID: "42" };

test("examine() finds nothing wrong in a service that can notify", () => {
  assert.deepEqual(findings({}), []);
  assert.deepEqual(findings({ ...WATCHDOG, FDSTORE: "5" }), []);
  assert.deepEqual(findings(SOCKET, "node", "proc", "notify"), []);
});

test("examine() reports what prevents notifications", () => {
  const only = (found: string[], pattern: RegExp) => {
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0]!, pattern);
  };
  only(findings(null), /^note notify .*--allow-env=NOTIFY_SOCKET,/);
  only(
    findings({ NOTIFY_SOCKET: "run/x" }),
    /^problem notify Reading NOTIFY_SOCKET: expected a path/,
  );
  only(findings(SOCKET, "deno", "none"), /^problem notify .*--allow-ffi$/);
  only(findings(SOCKET, "node", "proc"), /^note notify .*OpenFile=/);
  only(
    findings({ ...WATCHDOG, WATCHDOG_PID: "7" }),
    /^problem watchdog .* process 7 is to report .* this is 42/,
  );
  only(
    findings({ WATCHDOG_USEC: "5" }),
    /^problem watchdog Reading NOTIFY_SOCKET: it is not set, although/,
  );
  only(
    findings({ ...SOCKET, WATCHDOG_USEC: "x\u001b" }),
    /^problem watchdog Reading WATCHDOG_USEC: /,
  );
  only(
    findings({ FDSTORE: "5" }, "node", "proc"),
    /^note store Storing descriptors: /,
  );
});

test("the reports show the variables that are set", () => {
  const report = examine({}, subject("bun", "libc"), WATCHDOG);
  const stream = { isTTY: false, columns: 80, write: () => true };
  const text = formatReport(report, styleFor(stream as never, {}));
  assert.match(text, /NOTIFY_SOCKET +"\/run\/systemd\/notify"/);
  assert.match(text, /WATCHDOG_USEC +2000000/);
  assert.doesNotMatch(text, /FDSTORE/);
  assert.deepEqual(JSON.parse(formatJson(report)).service, {
    ...WATCHDOG,
    FDSTORE: null,
  });
});
