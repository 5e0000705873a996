/** The report of `inspect` on descriptors of every kind, on every runtime. */

import assert from "node:assert/strict";
import { AGENT, type Agent, NATIVE_AGENT } from "../../harness/agent.ts";
import { execute, handOver, METADATA_HOSTS } from "../../harness/handover.ts";
import { forEachHost, hostsWith } from "../../harness/hosts.ts";
import {
  type InspectedDescriptor,
  inspectHandover,
  problemsOf,
} from "../../harness/inspect.ts";
import { NO_PYTHON } from "../../harness/machine_tools.ts";
import { test } from "../../harness/timed_test.ts";

/** The kinds of what `handover.py` makes. */
function kindOf(name: string): string {
  if (/^(?:m?p?tcp\d?|unix)-(?:idle|unbound)$/.test(name)) return "socket";
  if (/^(?:tcp\d|unix)-connection$/.test(name)) return "stream-connection";
  if (/^(?:udp|unix-(?:datagram|unnamed))/.test(name)) return "datagram";
  if (/^(?:tcp|mptcp|unix|vsock)/.test(name)) return "stream-listener";
  if (name.startsWith("raw") || name === "packet") return "raw";
  return ({
    "seqpacket": "seqpacket-listener",
    "pipe": "fifo",
    "deleted": "file",
    "null": "character-device",
    "folder": "other",
    "epoll": "other",
    "mqueue": "message-queue",
  } as Record<string, string>)[name] ?? name;
}

/** Descriptors that `/proc` knows as sockets only. */
const NOT_IN_PROC = /^(?:tcp4-(?:idle|unbound)|vsock|packet)$/;

forEachHost(METADATA_HOSTS, (host) => {
  test(`inspect on ${host.label} reports descriptors of every kind`, {
    skip: NO_PYTHON,
  }, async (t) => {
    const handover = await handOver(t);
    const report = await inspectHandover(handover, host);
    assert.equal(report.state, "activated");
    const { source } = report.process;
    assert.equal(
      source,
      !host.inspects
        ? "none"
        : /^node 2[24]$/.test(host.label)
        ? "proc"
        : "libc",
    );
    assert.deepEqual(
      report.descriptors.map(({ name }) => name),
      handover.names,
    );
    for (const descriptor of report.descriptors) {
      const { name, kind, blocking, closeOnExec, fd, ...rest } = descriptor;
      if (source === "none") {
        const isStream = /^m?p?tcp/.test(name!);
        assert.equal(kind, isStream ? "socket" : "unknown", name!);
        continue;
      }
      const hidden: boolean = source === "proc" && NOT_IN_PROC.test(name!);
      assert.equal(kind, hidden ? "socket" : kindOf(name!), name!);
      assert.equal(blocking, true, name!);
      // Deno leaves it as it was handed over; the others can't help it.
      if (host.runtime === "deno") assert.equal(closeOnExec, false, name!);
      const port = handover.ports[name!];
      if (port !== undefined && !hidden && !name!.startsWith("raw")) {
        assert.equal(rest.address?.port, port, name!);
      }
      const isTcp = /^m?p?tcp/.test(name!) && kind === "stream-listener";
      // As many as Python's listen() asks for.
      assert.equal(
        rest.backlog,
        isTcp && source === "libc" ? 128 : null,
        name!,
      );
      assert.equal(fd, handover.fd(name!));
    }
    // The two that look like those that these runtimes open themselves.
    assert.deepEqual(
      problemsOf(report)
        .flatMap(({ fds }) => fds.map((fd) => handover.names[fd - 3])),
      host.runtime === "deno" ? [] : ["pipe", "epoll"],
    );
  });
});

/** The operations of both agents that take a target. */
type TrialOperations = Record<
  "listen" | "connection" | "bind" | "datagrams",
  (target: string) => unknown
>;

/** A function of the library, and the operation of an agent that uses it. */
interface Trial {
  readonly api: RegExp;
  readonly operation: keyof TrialOperations;
  readonly targetOf: (name: string, fd: number) => string;
}

const byNumber = (_: string, fd: number) => `fd:${fd}`;
const byName = (name: string) => name;

const TRIALS: Readonly<Record<"portable" | "native", readonly Trial[]>> = {
  portable: [
    { api: /^serve/, operation: "listen", targetOf: byNumber },
    { api: /^connection/, operation: "connection", targetOf: byName },
    { api: /^bind/, operation: "bind", targetOf: byName },
  ],
  native: [
    { api: /^serve/, operation: "listen", targetOf: byNumber },
    {
      api: /^(?:listenDatagram|udpSocket)/,
      operation: "datagrams",
      targetOf: byNumber,
    },
  ],
};

/** Tries each operation on each descriptor: it works as `inspect` says. */
async function assertWorksAsInspected(
  agent: Agent<TrialOperations>,
  trials: readonly Trial[],
  descriptors: readonly InspectedDescriptor[],
  apiOf: (descriptor: InspectedDescriptor) => string | undefined,
): Promise<void> {
  for (const descriptor of descriptors) {
    const { name, kind, fd } = descriptor;
    // The kernel would still let them listen, or connect.
    if (kind === "socket") continue;
    const api = apiOf(descriptor);
    for (const trial of trials) {
      const target = trial.targetOf(name!, fd);
      if (api !== undefined && trial.api.test(api)) {
        await agent.call(trial.operation, target);
      } else {
        // Taken by the one that works, or refused.
        await agent.fail(trial.operation, target);
      }
    }
  }
}

forEachHost(hostsWith({ inspects: true }), (host) => {
  for (const mode of ["portable", "native"] as const) {
    if (mode === "native" && !host.adopts) continue;
    test(`inspect on ${host.label} is right on what is ${mode}`, {
      skip: NO_PYTHON,
    }, async (t) => {
      const { descriptors } = await inspectHandover(await handOver(t), host);
      const { maker } = await handOver(t);
      const command = host.command(mode === "native" ? NATIVE_AGENT : AGENT);
      if (host.runtime === "deno") command.splice(2, 0, "--unstable-net");
      await assertWorksAsInspected(
        await execute(maker, command),
        TRIALS[mode],
        descriptors,
        ({ use }) => use[host.runtime][mode]?.api,
      );
    });
  }
});
