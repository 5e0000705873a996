/** Expectations, maps and `LISTEN_PIDFDID`, with descriptors of every kind. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import type { CompatibilityMap, Expectations } from "../../../src/core/mod.ts";
import { AGENT, type Agent } from "../../harness/agent.ts";
import {
  become,
  type Handover,
  handOver,
  METADATA_HOSTS,
} from "../../harness/handover.ts";
import { forEachHost, type Host, hostsWith } from "../../harness/hosts.ts";
import { NO_PYTHON } from "../../harness/machine_tools.ts";
import { test } from "../../harness/timed_test.ts";

const options = { skip: NO_PYTHON };

/** Returns whether a host can call the C library. */
function hasFfi({ label }: Host): boolean {
  return !/^(?:node 2[24]|deno [0-9.]+)$/.test(label);
}

forEachHost(METADATA_HOSTS, (host) => {
  test(
    `activation({ expect }) on ${host.label} reports every mismatch at once`,
    options,
    async (t) => {
      const handover = await handOver(t, [
        "tcp4",
        "tcp4-connection",
        "udp4",
        "fifo",
        "unix",
      ]);
      const agent = await become(handover, host, AGENT, {
        LISTEN_FDNAMES: "web:web:dns:input:admin",
      });
      const right: Expectations = {
        web: ["stream-listener", "stream-connection"],
        dns: "datagram",
        input: "fifo",
      };
      const activated = await agent.call("activation", { expect: right });
      assert.deepEqual(activated?.names, ["web", "dns", "input", "admin"]);

      const wrong = {
        web: "datagram",
        dns: "stream-listener",
        input: ["seqpacket-listener", "message-queue"],
        admin: "stream-connection",
        other: "netlink",
      };
      const error = await agent.fail("activation", { expect: wrong });
      assert.equal(error.code, "unexpected-kinds");
      const parts = [
        'expected netlink "other", no descriptor has this name; there are "web"',
        "expected a datagram socket, found a listening stream socket at " +
        `127.0.0.1:${handover.ports.tcp4} in descriptor 3 ("web"): set ` +
        "ListenDatagram= in the socket unit",
        "found a connected stream socket at 127.0.0.1:",
        "expected a listening stream socket, found a datagram socket at",
        "set ListenStream= with Accept=no in the socket unit",
        "expected a listening sequential packet socket or a POSIX message " +
        `queue, found a FIFO or pipe, "${handover.directory}/fifo" in descriptor 6`,
        "set ListenSequentialPacket= with Accept=no in the socket unit, or set " +
        "ListenMessageQueue= in the socket unit",
        `found a listening stream socket at "${handover.directory}/unix" in`,
        "set ListenStream= with Accept=yes in the socket unit",
      ];
      // Without permissions only that TCP sockets are no datagram sockets.
      const reported = host.inspects
        ? parts
        : [parts[0]!, "expected a datagram socket, found a socket in"];
      for (const part of reported) {
        assert.ok(error.message.includes(part), `${part}\n${error.message}`);
      }
      // Nothing is lost.
      assert.deepEqual(
        (await agent.call("activation", { expect: right }))?.unclaimed,
        [3, 4, 5, 6, 7],
      );
      const nonsense = await agent.fail("activation", {
        expect: { web: "tcp" },
      });
      assert.equal(nonsense.name, "TypeError");
      assert.match(nonsense.message, /expected one or more of stream-listener/);
    },
  );

  test(
    `LISTEN_PIDFDID on ${host.label} distinguishes processes`,
    options,
    async (t) => {
      const run = async (change: bigint): Promise<Agent | undefined> => {
        const handover = await handOver(t, ["tcp4"]);
        const id = await handover.maker.call("pidfd_id");
        if (id === null) return undefined;
        return await become(handover, host, AGENT, {
          LISTEN_PIDFDID: String(BigInt(id) + change),
        });
      };
      const right = await run(0n);
      if (right === undefined) return t.skip("Linux is older than 6.9");
      assert.deepEqual((await right.call("activation"))?.names, ["tcp4"]);

      const wrong = (await run(1n))!;
      if (!hasFfi(host)) {
        // It can't be compared, and LISTEN_PID is right.
        assert.deepEqual((await wrong.call("activation"))?.names, ["tcp4"]);
        return;
      }
      assert.equal(await wrong.call("activation"), null);
      const reason = await wrong.call("inactiveReason");
      const { kind, listenPid, message } = reason!;
      assert.deepEqual([kind, listenPid], ["foreign", wrong.pid]);
      assert.match(
        message,
        /^Not activated: LISTEN_PIDFDID is \d+, which is ano/,
      );
      assert.deepEqual(await wrong.call("environment"), []);
    },
  );
});

forEachHost(hostsWith({ inspects: true }), (host) => {
  test(
    `activation() on ${host.label} hides every descriptor from children`,
    options,
    async (t) => {
      const handover = await handOver(t);
      const { names } = handover;
      const agent = await become(handover, host, AGENT);
      await agent.call("activation");
      const links = await agent.call("links");
      const distinct = links.filter((link) => /^(?:socket|pipe):/.test(link!));
      assert.ok(distinct.length > 25);
      const inherited = await agent.call("childDescriptors");
      assert.ok(inherited.length > 2, "the child's descriptors can be read");
      assert.deepEqual(
        distinct.filter((link) => inherited.includes(link!)),
        [],
      );
      assert.equal(links.length, names.length);
    },
  );

  test(
    `activation({ map }) on ${host.label} finds sockets as people write them`,
    options,
    async (t) => {
      type CreateMap = (handover: Handover) => CompatibilityMap;
      const run = async (createMap: CreateMap) => {
        const handover = await handOver(t, [
          "tcp4",
          "tcp6-mapped",
          "tcp6-any",
          "unix",
          "unix-abstract",
        ]);
        fs.symlinkSync(handover.directory, `${handover.directory}/link`);
        const map = createMap(handover);
        const variables = { LISTEN_FDNAMES: null };
        return { agent: await become(handover, host, AGENT, variables), map };
      };
      const namesBy = async (createMap: CreateMap) => {
        const { agent, map } = await run(createMap);
        const activated = await agent.call("activation", { map });
        return activated?.descriptors.map(({ name }) => name);
      };
      const right = (
        { ports, directory, maker }: Handover,
        any: string,
      ): CompatibilityMap => ({
        web: { port: ports["tcp4"]!, hostname: "127.0.0.1" },
        mapped: { port: ports["tcp6-mapped"]!, hostname: "127.0.0.1" },
        any: { port: ports["tcp6-any"]!, hostname: any },
        admin: { path: path.join(directory, "link/unix") },
        bus: { path: `@listenfds-${maker.pid}` },
      });
      for (const any of ["::", "0.0.0.0"]) {
        assert.deepEqual(
          await namesBy((handover) => right(handover, any)),
          ["web", "mapped", "any", "admin", "bus"],
        );
      }
      // One address is not the wildcard, and another path not the same.
      for (
        const wrong of [
          (handover: Handover) => right(handover, "::1"),
          (handover: Handover) => ({
            ...right(handover, "::"),
            admin: { path: path.join(handover.directory, "link/missing") },
          }),
        ]
      ) {
        const { agent, map } = await run(wrong);
        const error = await agent.fail("activation", { map });
        assert.equal(error.code, "unmapped");
        assert.match(error.message, /matches no entry of the map/);
      }
    },
  );
});
