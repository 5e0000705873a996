/**
 * The options of `./deno` and `./bun`, compared with those of the runtimes' own
 * functions on a port of their own.
 */

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { OptionsOperations } from "../../fixtures/operations.ts";
import { OPTIONS_AGENT, startAgent } from "../../harness/agent.ts";
import { forEachHost, hostsWith } from "../../harness/hosts.ts";
import {
  createCertificate,
  temporaryDirectory,
} from "../../harness/machine_tools.ts";
import { bindSockets } from "../../harness/sockets.ts";
import { test } from "../../harness/timed_test.ts";

/** The number of sockets that an agent is started with, one for each form. */
const SOCKETS = 160;
const DATAGRAM_SOCKETS = 20;

forEachHost(hostsWith({ adopts: true }), (host) => {
  test(`options on ${host.label} have the effect that they have on a port of its own`, async (t) => {
    const certificate = createCertificate(temporaryDirectory(t));
    if (certificate === undefined) return t.skip("openssl is not installed");
    const specs = [
      ...Array.from(
        { length: SOCKETS },
        (_, index) => `s${index}=tcp:127.0.0.1:0`,
      ),
      ...Array.from(
        { length: DATAGRAM_SOCKETS },
        (_, index) => `d${index}=udp:127.0.0.1:0`,
      ),
    ];
    const command = host.command(OPTIONS_AGENT);
    if (host.runtime === "deno") command.splice(2, 0, "--unstable-net");
    const agent = await bindSockets(
      specs,
      (sockets) =>
        startAgent<OptionsOperations>(
          t,
          { ...host, command: () => command },
          sockets,
          { OPTIONS_TLS: JSON.stringify(certificate) },
          OPTIONS_AGENT,
        ),
    );
    const differences: Record<string, unknown> = {};
    let streams = 0;
    let datagrams = 0;
    for (const [index, form] of (await agent.call("cases")).entries()) {
      const isDatagram = /udp|datagram/i.test(form.call);
      const target = isDatagram ? `d${datagrams}` : `s${streams}`;
      const report = await agent.call("compare", index, target);
      // The next form is given a socket whose use has failed.
      if (!("thrown" in (report.ours as object))) {
        if (isDatagram) datagrams++;
        else streams++;
      }
      if (!isDeepStrictEqual(report.ours, report.own)) {
        differences[form.name] = report;
      }
    }
    assert.deepEqual(differences, {});
    assert.doesNotMatch(agent.stderr, /unhandled/);
  });
});
