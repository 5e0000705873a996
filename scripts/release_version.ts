/**
 * Checks that a tag is the version that `deno.json` has, that JSR and npm take
 * this version, and that the changelog tells what is new in it:
 *
 *     deno task release:version v1.2.3
 *
 * @module
 */

const NUMBER = "(?:0|[1-9]\\d*)";
const IDENTIFIER = `(?:${NUMBER}|\\d*[A-Za-z-][\\dA-Za-z-]*)`;

/** A version of Semantic Versioning 2.0.0 without build metadata. */
const VERSION = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-${IDENTIFIER}(?:\\.${IDENTIFIER})*)?$`,
);

/**
 * Chooses npm's distribution tag.
 *
 * @param version The version to publish.
 * @returns `next` for a prerelease, which npm publishes with a tag only;
 * `undefined` for any other version, so that npm chooses.
 */
export function distributionTag(version: string): "next" | undefined {
  return version.includes("-") ? "next" : undefined;
}

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
  if (!VERSION.test(version)) {
    return `Reading deno.json: expected a version such as "1.2.3" or ` +
      `"1.2.3-rc.1", found ${JSON.stringify(version)}: neither leave out a ` +
      `number nor add build metadata`;
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
  const npmTag = distributionTag(version) ?? "latest";
  console.log(`${version} can be published, on npm with the tag ${npmTag}`);
}
