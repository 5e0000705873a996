/**
 * Time spans as systemd writes them (`systemd.time(7)`).
 *
 * @module
 */

/** Units of time spans (`systemd.time(7)`). */
const SECONDS: Readonly<Record<string, number>> = {
  "": 1,
  us: 1e-6,
  "µs": 1e-6,
  "μs": 1e-6,
  usec: 1e-6,
  ms: 1e-3,
  msec: 1e-3,
  s: 1,
  sec: 1,
  second: 1,
  seconds: 1,
  m: 60,
  min: 60,
  minute: 60,
  minutes: 60,
  h: 3600,
  hr: 3600,
  hour: 3600,
  hours: 3600,
  d: 86400,
  day: 86400,
  days: 86400,
  w: 7 * 86400,
  week: 7 * 86400,
  weeks: 7 * 86400,
  M: 30.44 * 86400,
  month: 30.44 * 86400,
  months: 30.44 * 86400,
  y: 365.25 * 86400,
  year: 365.25 * 86400,
  years: 365.25 * 86400,
};

/**
 * Parses a duration such as `1min 30s` into seconds; `infinity` is the longest
 * one.
 */
export function parseSeconds(value: string): number | undefined {
  const part = /([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Zµμ]*)\s*/y;
  let seconds = 0;
  if (value === "") return undefined;
  if (value === "infinity") return 2 ** 31 - 1;
  while (part.lastIndex < value.length) {
    const [, digits, unit] = part.exec(value) ?? [];
    if (digits === undefined || !Object.hasOwn(SECONDS, unit!)) {
      return undefined;
    }
    seconds += Number(digits) * SECONDS[unit!]!;
  }
  return seconds < 2 ** 31 ? seconds : undefined;
}
