/**
 * Reads files with environment variables, as `--env-file` of Deno, Bun and Node
 * does.
 *
 * @module
 */

import fs from "node:fs";
import util from "node:util";
import { quote } from "../../core/errors.ts";
import { UsageError } from "../shared/verb.ts";

/**
 * Reads variables from files; a later file overrides an earlier one.
 *
 * `parseEnv` isn't imported by name, because versions of Deno that have none
 * could not start the other verbs.
 */
export function readEnvFiles(
  files: readonly string[],
): Record<string, string | undefined> {
  const variables: Record<string, string | undefined> = {};
  for (const file of files) {
    try {
      Object.assign(variables, util.parseEnv(fs.readFileSync(file, "utf8")));
    } catch (cause) {
      const { code = String(cause) } = cause as NodeJS.ErrnoException;
      throw new UsageError(
        `Reading the variables in ${quote(file)}: ${code}: give a ` +
          `readable file`,
        { cause },
      );
    }
  }
  return variables;
}
