/**
 * Text of socket units.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import { plainValue } from "../shared/systemd/unit_text.ts";
import { formatDescription } from "./service_file.ts";
import type { UnitFile, UnitPair, UnitPlan } from "./plan.ts";

/** Creates a socket unit. */
export function socketFile(
  plan: UnitPlan,
  { socket, service, sockets }: UnitPair,
): UnitFile {
  const { name, accept, instances, backlog, socketMode, socketGroup } = plan;
  const description = plainValue(formatDescription(plan), "description");
  const hasServiceName =
    service === `${socket.slice(0, -".socket".length)}.service`;
  return {
    name: socket,
    text: `${
      [
        `# ${socket}: the descriptors named ${
          quote(accept ? "connection" : sockets.name)
        }, for ${instances === undefined ? service : `${name}@.service`}.`,
        "# After installing this file: systemctl daemon-reload, and",
        `# systemctl enable --now ${socket}`,
        "",
        "[Unit]",
        `Description=${description}: ${
          plan.sockets.length > 1 ? `sockets of ${name}` : "its sockets"
        }`,
        "",
        "[Socket]",
        ...accept
          ? [
            "# A process for each connection, whose descriptor is always named",
            '# "connection", regardless of FileDescriptorName=.',
            "Accept=yes",
          ]
          : [`FileDescriptorName=${plainValue(sockets.name, "name")}`],
        ...sockets.listen,
        ...sockets.hasIpv6
          ? [
            "# IPv6 only: otherwise [::] would accept IPv4 connections, too, and binding",
            "# 0.0.0.0 to the same port would fail.",
            "BindIPv6Only=ipv6-only",
          ]
          : [],
        ...backlog === undefined || !sockets.hasStream ? [] : [
          "# Limit of waiting connections; net.core.somaxconn is its maximum.",
          `Backlog=${backlog}`,
        ],
        ...sockets.hasPath ? modeLines(socketMode, socketGroup) : [],
        ...hasServiceName || accept ? [] : [
          instances === undefined
            ? "# The service has another name than this socket unit."
            : `# A socket unit can start one service. This one starts ${name}.target.`,
          `Service=${service}`,
        ],
        "",
        "[Install]",
        "WantedBy=sockets.target",
      ].join("\n")
    }\n`,
  };
}

function modeLines(
  mode: string | undefined,
  group: string | undefined,
): string[] {
  return mode === undefined && group === undefined
    ? [
      "# Every user may connect. SocketMode=0660 limits this to root and the group in",
      "# SocketGroup=.",
      "SocketMode=0666",
    ]
    : [
      "# Users that may connect.",
      `SocketMode=${mode ?? "0660"}`,
      ...group === undefined
        ? []
        : [`SocketGroup=${plainValue(group, "group")}`],
    ];
}
