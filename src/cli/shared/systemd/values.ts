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
