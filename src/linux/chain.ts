/**
 * Several sources of metadata as one.
 *
 * @module
 */

import type { DescriptorInfo, Inspector } from "../core/info.ts";

/**
 * Asks sources one after another, each only for what those before it can't
 * tell. A source is not made before it is needed.
 *
 * @param sources Makes each source; `undefined` where there is none.
 * @returns One source.
 */
export function firstKnown(
  ...sources: readonly (() => Inspector | undefined)[]
): Inspector {
  return {
    inspect(fds) {
      const infos: DescriptorInfo[] = fds.map(() => ({ kind: "unknown" }));
      let left = [...fds.keys()];
      for (const source of sources) {
        const more = source()?.inspect(left.map((at) => fds[at]!)) ?? [];
        more.forEach((info, at) => {
          const index = left[at]!;
          if (rank(info) > rank(infos[index]!)) infos[index] = info;
        });
        left = left.filter((at) => rank(infos[at]!) < 2);
        if (left.length === 0) break;
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

/** How much metadata tell: nothing, that it is a socket, what it is. */
function rank(info: DescriptorInfo): 0 | 1 | 2 {
  if (info.kind === "unknown") return 0;
  return info.kind === "socket" && info.type === undefined ? 1 : 2;
}
