/**
 * A chain of inspectors.
 *
 * @module
 */

import {
  type DescriptorInfo,
  type Inspector,
  isKindUnknown,
} from "../core/info.ts";

/**
 * Combines inspectors: each inspects only the descriptors that the previous ones
 * don't fully know.
 *
 * @param sources Create the inspectors when they are needed; `undefined` where
 * one isn't available.
 */
export function firstKnown(
  ...sources: readonly (() => Inspector | undefined)[]
): Inspector {
  return {
    inspect(fds) {
      const infos: DescriptorInfo[] = fds.map(() => ({ kind: "unknown" }));
      let pending = [...fds.keys()];
      for (const source of sources) {
        const results = source()?.inspect(pending.map((index) =>
          fds[index]!
        )) ?? [];
        for (const [position, info] of results.entries()) {
          const index = pending[position]!;
          if (rank(info) > rank(infos[index]!)) infos[index] = info;
        }
        pending = pending.filter((index) => rank(infos[index]!) < 2);
        if (pending.length === 0) break;
      }
      return infos;
    },
    inspectPath(path) {
      for (const source of sources) {
        const info = source()?.inspectPath(path);
        if (info !== undefined) return info;
      }
      return undefined;
    },
  };
}

/** Ranks metadata: 0 for nothing, 1 for a socket of unknown type, 2 for more. */
function rank(info: DescriptorInfo): 0 | 1 | 2 {
  if (info.kind === "unknown") return 0;
  return isKindUnknown(info) ? 1 : 2;
}
