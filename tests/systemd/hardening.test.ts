/**
 * The table of docs/hardening.md: each setting alone, on each
 * runtime, as it is measured. A setting that is not in effect here, since the
 * kernel or systemd can't, would prove nothing, and is said to be that.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { NO_MACHINE, type Units, useMachine } from "./machine/machine.ts";
import {
  MAIN_HOSTS,
  serviceUnit,
  type Settings,
  socketUnit,
  type UnitHost,
} from "./machine/units.ts";
import { eventually } from "../harness/eventually.ts";
import { ROOT } from "../harness/hosts.ts";
import { test } from "../harness/timed_test.ts";

const machine = useMachine();
const DIRECTORY = "/opt/listenfds/tests/systemd/programs";

/** The columns of the table, in order: runtimes, and how they serve. */
const COLUMNS: readonly UnitHost[] = [
  "deno native",
  "deno serve",
  "bun native",
  "node http",
].map((wanted) =>
  MAIN_HOSTS.find(({ runtime, http }) => `${runtime} ${http}` === wanted)!
);

/** A row of the table. */
interface Row {
  /** The settings, as they are written. */
  readonly lines: readonly string[];
  readonly cells: readonly string[];
}

/** Reads the table of docs/hardening.md. */
function readTable(): Row[] {
  const text = fs.readFileSync(path.join(ROOT, "docs/hardening.md"), "utf8");
  return text.split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => {
      const [, setting, ...cells] = line.split("|").map((cell) => cell.trim());
      const lines = [...setting!.matchAll(/`([^`]+)`/g)];
      return {
        lines: lines.map(([, line]) => line!),
        cells: cells.slice(0, 4),
      };
    });
}

function settingsOf(lines: readonly string[]): Settings {
  return Object.fromEntries(
    lines.map((line) => /^([^=]+)=(.*)$/.exec(line)!.slice(1)),
  );
}

/** The units that try a row: on each runtime, and by what it forbids. */
function unitsOf({ lines: [first, ...rest] }: Row): Units {
  const settings = settingsOf([first!, ...rest]);
  const units: Record<string, string> = {
    "probe.service": serviceUnit(COLUMNS[3]!, "", {
      ...settings,
      Type: "oneshot",
      ExecStart: `/usr/local/bin/node ${DIRECTORY}/probe.ts "${first}"`,
    }),
  };
  for (const [index, host] of COLUMNS.entries()) {
    const name = `hard${index}`;
    const service = { Service: `${name}.service` };
    units[`${name}web.socket`] = socketUnit({
      ...service,
      FileDescriptorName: "web",
      ListenStream: `127.0.0.${index + 1}:80`,
    });
    units[`${name}admin.socket`] = socketUnit({
      ...service,
      FileDescriptorName: "admin",
      ListenStream: `/run/${name}.sock`,
    });
    units[`${name}.service`] = serviceUnit(host, "", {
      ...settings,
      Sockets: `${name}web.socket ${name}admin.socket`,
      ExecStart: [...host.command, `${DIRECTORY}/hardened.ts`].join(" "),
      CacheDirectory: name,
      Environment: `DENO_DIR=%C/${name}`,
    });
  }
  return units;
}

/** Returns whether the settings are in effect for a program that tries them. */
async function isInEffect({ lines: [first] }: Row): Promise<boolean> {
  // No program of Node's could tell: that it doesn't start is what shows it.
  if (first === "MemoryDenyWriteExecute=yes") return true;
  for (const directory of ["/tmp", "/dev"]) {
    fs.writeFileSync(machine().file(`${directory}/probe-marker`), "");
  }
  await machine().systemctl("start", "probe.service");
  const found = await eventually("the probe", async () => {
    const text = await machine().journal("probe.service");
    return /^probe: (.*)$/m.exec(text)?.[1];
  });
  return found === "in effect";
}

/** Returns the reason why a setting has no effect, as far as it is known. */
async function explainNoEffect(title: string): Promise<string> {
  const { stdout } = await machine().run("systemctl", "--version");
  const reason = title.startsWith("SocketBind") &&
      stdout.includes("-BPF_FRAMEWORK")
    ? ": this systemd is built with -BPF_FRAMEWORK"
    : "";
  return `${title} is not in effect here${reason}`;
}

/** The report of `hardened.ts` on a socket. */
interface Served {
  readonly kind: string;
  readonly backend?: string;
  readonly backendReason?: string;
  readonly error?: string;
}

/** Puts into words what a service does on a runtime. */
async function describe(
  host: UnitHost,
  name: string,
  index: number,
): Promise<string> {
  const ready = await eventually(`${host.label} to start, or not`, async () => {
    const text = await machine().journal(`${name}.service`);
    if (/Failed with result/.test(text)) return null;
    return /^ready (.*)$/m.exec(text)?.[1];
  });
  if (ready === null) return "doesn't start";
  const served: Record<string, Served> = JSON.parse(ready);
  const targets = {
    web: { host: `127.0.0.${index + 1}`, port: 80 },
    admin: { path: `/run/${name}.sock` },
  };
  const backends = [];
  for (const [name, target] of Object.entries(targets)) {
    const { error, backend, backendReason } = served[name]!;
    assert.equal(error, undefined, host.label);
    assert.ok(backendReason);
    assert.equal((await machine().request(target)).status, 200);
    backends.push(backend);
  }
  const shown = backends[0] === backends[1]
    ? backends[0]!
    : `TCP ${backends[0]}, Unix ${backends[1]}`;
  const isBlind = host.inspects && served["web"]!.kind !== "stream-listener";
  return isBlind ? `${shown}, kinds unknown` : shown;
}

for (const row of readTable()) {
  const title = row.lines.join(", ");
  test(
    `${title} does what docs/hardening.md says`,
    { skip: NO_MACHINE },
    async (t) => {
      await machine().install(t, unitsOf(row));
      const names = COLUMNS.map((_, index) => `hard${index}`);
      const [isShown, ...found] = await Promise.all([
        isInEffect(row),
        ...COLUMNS.map(async (host, index) => {
          // That it fails to start is a result, too.
          await machine().run("systemctl", "start", `${names[index]}.service`);
          return await describe(host, names[index]!, index);
        }),
      ]);
      if (!isShown) return t.skip(await explainNoEffect(title));
      assert.deepEqual(found, row.cells);
    },
  );
}
