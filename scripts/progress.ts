/**
 * Progress of long work in one line.
 *
 * @module
 */

/** A terminal or file that lines are written to. */
export interface ProgressOutput {
  readonly isTerminal: boolean;
  readonly write: (text: string) => void;
}

/** Finds the output late: tests import this on runtimes without `Deno`, too. */
function standardError(): ProgressOutput {
  return {
    isTerminal: Deno.stderr.isTerminal(),
    write: (text) => Deno.stderr.writeSync(new TextEncoder().encode(text)),
  };
}

/**
 * Shows that work goes on: on a terminal with the seconds that have passed, in a
 * file with a line before it and one after it.
 *
 * @param action What is done, such as `Fetching bun 1.4`.
 * @param work The work.
 * @returns What the work returns.
 */
export async function showProgress<T>(
  action: string,
  work: Promise<T>,
  { isTerminal, write }: ProgressOutput = standardError(),
): Promise<T> {
  const start = performance.now();
  const passed = () => `${Math.round((performance.now() - start) / 1000)} s`;
  const draw = () => write(`\r${action} (once) … ${passed()}`);
  if (isTerminal) draw();
  else write(`${action} (once) …\n`);
  const timer = isTerminal ? setInterval(draw, 1000) : undefined;
  try {
    const result = await work;
    write(`${isTerminal ? "\r" : ""}${action} (once) … done in ${passed()}\n`);
    return result;
  } catch (error) {
    if (isTerminal) write("\n");
    throw error;
  } finally {
    clearInterval(timer);
  }
}
