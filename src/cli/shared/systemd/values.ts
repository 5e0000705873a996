/**
 * Parses values of settings in unit files (`systemd.syntax(7)`,
 * `systemd.time(7)`). Each function returns `undefined` for an invalid value.
 *
 * @module
 */

const YES = ["1", "yes", "y", "true", "t", "on"];
const NO = ["0", "no", "n", "false", "f", "off"];

/** Parses a boolean. */
export function parseBoolean(value: string): boolean | undefined {
  const word = value.toLowerCase();
  return YES.includes(word) ? true : NO.includes(word) ? false : undefined;
}

/** Parses an integer from 0 to 2^31 - 1. */
export function parseInteger(value: string): number | undefined {
  const number = /^[0-9]+$/.test(value) ? Number(value) : NaN;
  return number < 2 ** 31 ? number : undefined;
}

/** Parses permission bits in octal. */
export function parseMode(value: string): number | undefined {
  return /^[0-7]{1,5}$/.test(value) && parseInt(value, 8) <= 0o7777
    ? parseInt(value, 8)
    : undefined;
}

/**
 * Parses a size in bytes, with an optional suffix K, M, G or T. Several parts
 * with falling suffixes are added, such as `1M 512K`.
 */
export function parseSize(value: string): number | undefined {
  const part = /([0-9]+(?:\.[0-9]+)?)[ \t]*([A-Z]*)[ \t]*/y;
  let bytes = 0;
  let smallest = SIZE_SUFFIXES.length;
  if (value === "") return undefined;
  while (part.lastIndex < value.length) {
    const [, digits, suffix = ""] = part.exec(value) ?? [];
    const exponent = SIZE_SUFFIXES.findIndex((names) => names.includes(suffix));
    if (digits === undefined || exponent < 0 || exponent >= smallest) {
      return undefined;
    }
    bytes += Number(digits) * 1024 ** exponent;
    smallest = exponent;
  }
  return bytes < 2 ** 31 ? Math.floor(bytes) : undefined;
}

/** Suffixes of sizes, by the power of 1024. */
const SIZE_SUFFIXES: readonly (readonly string[])[] = [
  ["", "B"],
  ["K", "KB"],
  ["M", "MB"],
  ["G", "GB"],
  ["T", "TB"],
];

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

/** Names for `IPTOS=`. */
const TYPES_OF_SERVICE: Readonly<Record<string, number>> = {
  "low-delay": 0x10,
  "throughput": 0x08,
  "reliability": 0x04,
  "low-cost": 0x02,
};

/** Parses a type of service. */
export function parseTypeOfService(value: string): number | undefined {
  return Object.hasOwn(TYPES_OF_SERVICE, value)
    ? TYPES_OF_SERVICE[value]
    : parseInteger(value);
}
