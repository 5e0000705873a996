/**
 * Checks that a tag is the version that `deno.json` has, and that the changelog
 * tells what is new in it:
 *
 *     deno task release:version v1.2.3
 *
 * @module
 */

/**
 * Compares a tag with what is to be published.
 *
 * @param tag The tag.
 * @param version The version of `deno.json`.
 * @param changelog The text of `CHANGELOG.md`.
 * @returns What is wrong; `undefined` if nothing is.
 */
export function versionProblem(
  tag: string,
  version: string,
  changelog: string,
): string | undefined {
  if (tag !== `v${version}`) {
    return `Comparing the tag with deno.json: expected ${
      JSON.stringify(`v${version}`)
    }, found ${JSON.stringify(tag)}: tag the commit that sets the version`;
  }
  if (
    !changelog.split("\n").some((line) => line.startsWith(`## [${version}]`))
  ) {
    return `Reading CHANGELOG.md: expected a section "## [${version}]", found ` +
      `none: move what is unreleased there`;
  }
  return undefined;
}

if (import.meta.main) {
  const { version } = JSON.parse(await Deno.readTextFile("deno.json"));
  const changelog = await Deno.readTextFile("CHANGELOG.md");
  const problem = versionProblem(Deno.args[0] ?? "", version, changelog);
  if (problem !== undefined) {
    console.error(problem);
    Deno.exit(1);
  }
  console.log(`${version} can be published`);
}
