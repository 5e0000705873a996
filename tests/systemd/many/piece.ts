/** A piece of many restarts: some of each kind, of one runtime. */

import fs from "node:fs";
import type { TestContext } from "node:test";
import { eventually } from "../../harness/eventually.ts";
import { type FailureKind, FAILURES } from "../load/http_client.ts";
import type { Group, Report } from "../load/load.ts";
import { ALL_GROUPS, type RunningLoad, startLoad } from "../load/under_load.ts";
import type { Machine } from "../machine/machine.ts";
import { serviceUnit, socketUnit, type UnitHost } from "../machine/units.ts";

/** The numbers of a piece. */
export const RESTARTS = 20;
export const KILLS = 2;
export const IDLE_EXITS = 10;

/** Answers to all clients from each process that is restarted. */
const ANSWERS = 800;
const IDLE_MS = 50;
const UNIT = "many.service";

/** Clients that leave a service without requests for longer than its limit. */
const RARE_CLIENTS: readonly Group[] = [{
  name: "rare",
  clients: 2,
  // A connection would keep the process.
  keepAlive: false,
  handlerMs: 0,
  pauseMs: 1000,
}];

/** What clients got in one part. */
export interface PartCounts {
  readonly answered: number;
  readonly lost: Readonly<Record<FailureKind, number>>;
  readonly slowestMs: number;
  readonly messages: readonly string[];
}

/** The memory and the descriptors of a process. */
export interface Usage {
  readonly memoryMiB: number;
  readonly descriptors: number;
}

/** What a piece has measured. */
export interface Piece {
  readonly restarts: PartCounts;
  readonly kills: PartCounts;
  readonly idleExits: PartCounts;
  /** The number of processes that have ended because they were idle. */
  readonly ended: number;
  /** Of the services that were restarted, the largest values. */
  readonly service: Usage;
  /** Of systemd, after the piece. */
  readonly manager: Usage;
}

/** Restarts, kills and leaves idle one service after another. */
export async function measurePiece(
  t: TestContext,
  machine: Machine,
  host: UnitHost,
): Promise<Piece> {
  await machine.install(t, {
    "many.socket": socketUnit({
      FileDescriptorName: "web",
      ListenStream: "127.0.0.1:8080",
    }),
    [UNIT]: serviceUnit(host, `${host.http}=web`, { TimeoutStopSec: 60 }, {
      StartLimitIntervalSec: 0,
    }),
  });
  await machine.systemctl("start", "many.socket");
  const usages: Usage[] = [];
  const restarts = await under(
    startLoad(t, machine, ALL_GROUPS),
    async (load) => {
      for (let round = 0; round < RESTARTS; round++) {
        await answers(load, ANSWERS);
        usages.push(usageOf(machine, await machine.mainPid(UNIT)));
        await machine.systemctl("restart", UNIT);
      }
      await answers(load, ANSWERS);
    },
  );
  const kills = await under(startLoad(t, machine, ALL_GROUPS), async (load) => {
    for (let round = 0; round < KILLS; round++) {
      await answers(load, ANSWERS);
      await machine.systemctl("kill", "--signal=KILL", UNIT);
    }
    await answers(load, ANSWERS);
  });
  const { counts, ended } = await leaveIdle(t, machine, host);
  return {
    restarts,
    kills,
    idleExits: counts,
    ended,
    service: {
      memoryMiB: Math.max(...usages.map(({ memoryMiB }) => memoryMiB)),
      descriptors: Math.max(...usages.map(({ descriptors }) => descriptors)),
    },
    manager: usageOf(machine, 1),
  };
}

/** Asks so rarely that the service ends between requests. */
async function leaveIdle(
  t: TestContext,
  machine: Machine,
  host: UnitHost,
): Promise<{ counts: PartCounts; ended: number }> {
  await machine.systemctl("stop", UNIT);
  const end = JSON.stringify({ exitWhenIdle: IDLE_MS });
  const service = `'--end=${end}' ${host.http}=web`;
  fs.writeFileSync(
    machine.file(`/etc/systemd/system/${UNIT}`),
    serviceUnit(host, service, {}, { StartLimitIntervalSec: 0 }),
  );
  await machine.systemctl("daemon-reload");
  let ended = 0;
  const counts = await under(startLoad(t, machine, RARE_CLIENTS), async () => {
    let previous = 0;
    await eventually(
      `${IDLE_EXITS} idle exits`,
      async () => {
        const pid = await machine.mainPid(UNIT);
        // The next process may be there already.
        if (pid !== previous && previous !== 0) ended++;
        previous = pid;
        return ended;
      },
      (exits) => exits >= IDLE_EXITS,
      { timeoutMs: 300_000 },
    );
  });
  return { counts, ended };
}

async function under(
  load: RunningLoad,
  run: (load: RunningLoad) => Promise<void>,
): Promise<PartCounts> {
  await run(load);
  return countsOf(await load.stop());
}

/** Waits for answers to all clients together. */
async function answers(load: RunningLoad, number: number): Promise<void> {
  const answered = async () => countsOf(await load.report()).answered;
  const before = await answered();
  await eventually(
    `${number} answers`,
    answered,
    (now) => now >= before + number,
    { intervalMs: 50, timeoutMs: 240_000 },
  );
}

function countsOf(report: Report): PartCounts {
  const groups = Object.values(report);
  const sum = (kind: FailureKind | "answered") =>
    groups.reduce((total, group) => total + group[kind], 0);
  return {
    answered: sum("answered"),
    lost: Object.fromEntries(
      FAILURES.map((kind) => [kind, sum(kind)]),
    ) as Record<FailureKind, number>,
    slowestMs: Math.max(...groups.map(({ slowestMs }) => slowestMs)),
    messages: groups.flatMap(({ messages }) => messages),
  };
}

function usageOf(machine: Machine, pid: number): Usage {
  const process = machine.file(`/proc/${pid}`);
  const status = fs.readFileSync(`${process}/status`, "utf8");
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status)!;
  return {
    memoryMiB: Math.round(Number(kilobytes) / 1024),
    descriptors: fs.readdirSync(`${process}/fd`).length,
  };
}
