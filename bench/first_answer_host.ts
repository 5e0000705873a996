/** Starts programs in turn, and prints when each has answered. */

import {
  orderOf,
  runHost,
  startActivated,
  startOnPort,
  stopServers,
} from "./servers.ts";

/** The programs to start. */
export interface FirstAnswerPlan {
  readonly programs: readonly {
    readonly way: string;
    /** The command line; a port is appended if it listens on one of its own. */
    readonly command: readonly string[];
    readonly isOnPort: boolean;
  }[];
  readonly turns: number;
}

/** When one program has answered. */
export interface FirstAnswer {
  readonly way: string;
  /** Milliseconds since its start. */
  readonly wall: number;
  /** Milliseconds of processor time. */
  readonly cpu: number;
}

/** Turns that don't count: the runtimes fill their caches. */
const WARMUP_TURNS = 3;

await runHost(async ({ programs, turns }: FirstAnswerPlan) => {
  for (let turn = -WARMUP_TURNS; turn < turns; turn++) {
    for (
      const { way, command, isOnPort } of orderOf(
        programs,
        turn + WARMUP_TURNS,
      )
    ) {
      const { firstAnswer, cpuTime } = isOnPort
        ? await startOnPort((port) => [...command, String(port)])
        : await startActivated(command);
      await stopServers();
      if (turn < 0) continue;
      const result: FirstAnswer = { way, wall: firstAnswer, cpu: cpuTime };
      console.log(JSON.stringify(result));
    }
  }
});
