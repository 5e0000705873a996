/**
 * Reads files with environment variables, as `--env-file` of Deno, Bun and Node
 * does.
 *
 * @module
 */

import util from "node:util";
import { quote } from "../../core/errors.ts";
import { readTextFile } from "../shared/text_file.ts";

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
    const action = `Reading the variables in ${quote(file)}`;
    Object.assign(variables, util.parseEnv(readTextFile(file, action)));
  }
  return variables;
}
