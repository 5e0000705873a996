/**
 * Text for the instances of a template: what ties them together, and the target
 * that starts and stops all of them.
 *
 * @module
 */

import { quote } from "../../core/errors.ts";
import { plainValue } from "../shared/systemd/unit_text.ts";
import {
  instanceName,
  type InstancesPlan,
  writtenInstances,
} from "./instances.ts";
import type { UnitFile, UnitPlan } from "./plan.ts";

/** Returns the note for a service whose start doesn't wait until it serves. */
export function instanceWarnings(
  { instances, notify, command, name }: UnitPlan,
): string[] {
  if (instances === undefined || notify !== undefined) return [];
  return [
    `systemctl restart ${quote(`${name}@1`)} doesn't wait until the instance ` +
    `serves, because the program doesn't notify systemd: clients may wait ` +
    `while one instance after another restarts: ` +
    (command.runtime === "deno" ? "set --native" : "leave out --no-notify"),
  ];
}

/** Returns what ties an instance to the others. */
export function instanceLines(
  { name, notify }: UnitPlan,
  instances: InstancesPlan,
): string[] {
  return [
    "# Stopping and restarting the target does the same to all instances, at once.",
    `PartOf=${name}.target`,
    "# The socket unit starts instance 1, and each start of an instance the others.",
    "# The target alone would start them only when it is not active itself.",
    `Wants=${name}.target ${writtenInstances(name, instances)}`,
    ...notify === undefined || notify.reload === "none" ? [] : [
      `# systemctl reload ${name}.target reloads all instances.`,
      `ReloadPropagatedFrom=${name}.target`,
    ],
    "# An instance that fails again and again must not reach a limit of starts: the",
    "# socket unit of instance 1 would fail with it, while the others still listen.",
    "StartLimitIntervalSec=0",
  ];
}

/** The settings of an instance that has failed. */
export const INSTANCE_RESTART: readonly string[] = [
  "# An instance that fails, or is killed, starts again. Connections start only",
  "# instance 1, and only while it doesn't run.",
  "Restart=on-failure",
  "# Long enough that one that fails at each start leaves the CPU to the others.",
  "RestartSec=500ms",
];

/** The settings that enable an instance. */
export function instanceInstall({ name }: UnitPlan): string[] {
  return [
    "",
    "[Install]",
    `# For instances beside those that ${name}.target names.`,
    `WantedBy=${name}.target ${instanceName(name, 1)}`,
  ];
}

/** Creates the target of all instances. */
export function targetFile(
  { name }: UnitPlan,
  instances: InstancesPlan,
  description: string,
  sockets: string,
): UnitFile {
  const { count, isAuto } = instances;
  const added = count + 1;
  const numbers = count > 4
    ? `$(seq ${count})`
    : Array.from({ length: count }, (_, index) => index + 1).join(" ");
  const file = `${name}.target`;
  return {
    name: file,
    text: `${
      [
        `# ${file}: all instances of ${name}@.service.`,
        "# Restart one after another, so that others serve meanwhile:",
        `# for n in ${numbers}; do systemctl restart ${name}@$n || break; done`,
        `# Add one: systemctl enable --now ${name}@${added}`,
        `# Remove it: systemctl disable --now ${name}@${added}`,
        // Without any, connections would wait forever.
        ...count === 1 ? [] : [
          `# Remove one of those below: systemctl mask --now ${name}@${count}`,
        ],
        "",
        "[Unit]",
        `Description=${plainValue(description, "description")}: all instances`,
        ...isAuto
          ? [
            `# As many as the machine that wrote this file has CPUs: ${count}.`,
          ]
          : [],
        `Wants=${writtenInstances(name, instances)}`,
        "# Stopping a socket unit stops all instances, and with them the target.",
        `Requires=${sockets}`,
        `After=${sockets}`,
        "",
        "[Install]",
        "# Enable it to start all instances with the machine, instead of with the first",
        "# connection.",
        "WantedBy=multi-user.target",
      ].join("\n")
    }\n`,
  };
}
