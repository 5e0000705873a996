/**
 * The site of the documentation: the pages of this repository, and the reference
 * from `deno doc`.
 *
 *     deno run -A scripts/docs/site.ts [--serve] [--base=/listenfds/]
 *
 * VitePress, because it reads the pages as they are on GitHub, has a search that
 * needs no service, and fails on a dead link; Starlight, the alternative, wants a
 * frontmatter in each page and brings three times as many packages.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fetchTool, siteToolchain, type Tool } from "../toolchain.ts";
import { findLinks } from "./markdown.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The name of each page on the site that isn't called as its file. */
const PAGES: Readonly<Record<string, string>> = {
  "README.md": "index.md",
  "CHANGELOG.md": "changelog.md",
  "bench/README.md": "benchmarks.md",
  "examples/README.md": "examples.md",
};

/** The default look of VitePress, without fonts to fetch, and a few rules. */
const THEME = 'import "./style.css";\n' +
  'export { default } from "vitepress/theme-without-fonts";\n';

/** Returns all pages: their paths in the repository, and on the site. */
async function findPages(): Promise<Map<string, string>> {
  const pages = new Map(Object.entries(PAGES));
  for await (const { name } of Deno.readDir(join(ROOT, "docs"))) {
    if (name.endsWith(".md")) pages.set(`docs/${name}`, name);
  }
  return pages;
}

/** Copies the pages, with links and pictures as the site has them. */
async function copyPages(directory: string): Promise<void> {
  const pages = await findPages();
  for (const [source, name] of pages) {
    let text = await Deno.readTextFile(join(ROOT, source));
    for (const { target } of findLinks(text)) {
      if (/^(?:[a-z]+:|#)/.test(target)) continue;
      const [path, anchor] = target.split("#") as [string, string?];
      const file = join(dirname(source), path);
      const page = pages.get(file);
      text = file.endsWith(".svg")
        ? replacePicture(text, target, await copyPicture(file, directory))
        : text.replaceAll(
          `](${target})`,
          page === undefined
            ? `](${await copySource(file, directory)})`
            : `](./${page}${anchor === undefined ? "" : `#${anchor}`})`,
        );
    }
    await Deno.writeTextFile(join(directory, name), text);
  }
}

/** Copies a file that is no page, as text that a browser shows. */
async function copySource(file: string, directory: string): Promise<string> {
  const name = `source/${file}.txt`;
  const copy = join(directory, "public", name);
  await Deno.mkdir(dirname(copy), { recursive: true });
  await Deno.copyFile(join(ROOT, file), copy);
  return `/${name}`;
}

/**
 * Copies a picture in a form for light and one for dark pages: the reader chooses
 * that on the site, and the rule in the picture knows only the system's choice.
 */
async function copyPicture(file: string, directory: string): Promise<string> {
  const picture = await Deno.readTextFile(join(ROOT, file));
  const rule = /@media \(prefers-color-scheme: dark\) \{([^]*?\})\s*\}/;
  const name = basename(file, ".svg");
  await Deno.mkdir(join(directory, "images"), { recursive: true });
  for (const [scheme, text] of [["light", ""], ["dark", "$1"]] as const) {
    await Deno.writeTextFile(
      join(directory, `images/${name}-${scheme}.svg`),
      picture.replace(rule, text),
    );
  }
  return name;
}

function replacePicture(text: string, target: string, name: string): string {
  const picture = new RegExp(
    `!\\[([^\\]]*)\\]\\(${target.replaceAll(".", "\\.")}\\)`,
    "g",
  );
  return text.replace(
    picture,
    `![$1](./images/${name}-light.svg){.light-only}\n` +
      `![$1](./images/${name}-dark.svg){.dark-only}`,
  );
}

/** Writes the reference of all entry points, with `deno doc`. */
async function writeReference(directory: string): Promise<void> {
  const config = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const entryPoints = Object.values<string>(config.exports);
  await run(Deno.execPath(), [
    "doc",
    "--html",
    "--name=listenfds",
    `--output=${directory}`,
    ...entryPoints,
  ]);
  // What deno doc makes is wider than a phone. The last style sheet prevails.
  const styles = join(directory, "prism.css");
  await Deno.writeTextFile(styles, PHONE_STYLE, { append: true });
}

const PHONE_STYLE = `
@media (max-width: 639px) {
  .ddoc, .ddoc > div { display: block; max-width: 100vw; }
  .ddoc #topnav > div { height: auto; flex-wrap: wrap; }
  .ddoc #searchbar { min-width: 0 !important; width: 8rem; }
  .ddoc .breadcrumbs { flex-wrap: wrap; }
  .ddoc #content, .ddoc main, .ddoc main * { min-width: 0; max-width: 100%; }
  .ddoc main { overflow-x: auto; overflow-wrap: anywhere; }
  .ddoc main pre { overflow-x: auto; }
}
`;

/** Runs a program, and shows what it wrote only if it fails. */
async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  if (success) return;
  const [out, errors] = [stdout, stderr]
    .map((bytes) => new TextDecoder().decode(bytes));
  throw new Error(`${basename(program)} ${args[0]} failed:\n${out}${errors}`);
}

/** A built site. */
export interface Site {
  /** The directory with its files. */
  readonly directory: string;
  /** The directory of the packages that build and test it. */
  readonly packages: string;
  /** The Node that VitePress runs on. */
  readonly node: Tool;
}

/**
 * Builds the site.
 *
 * @param base The path at which it is served. Default: `/`.
 * @returns Where it is.
 */
export async function buildSite(base: string = "/"): Promise<Site> {
  const node = await fetchTool("node 24");
  const packages = await siteToolchain();
  const work = dirname(packages.replace(/\/$/, ""));
  const pages = join(work, "pages");
  const directory = join(work, "dist");
  await Deno.remove(pages, { recursive: true }).catch(() => {});
  const config = join(pages, ".vitepress");
  const copies = {
    "site/config.mjs": "config.mjs",
    "site/style.css": "theme/style.css",
    "scripts/docs/markdown.ts": "../scripts/docs/markdown.ts",
  };
  for (const [from, to] of Object.entries(copies)) {
    await Deno.mkdir(dirname(join(config, to)), { recursive: true });
    await Deno.copyFile(join(ROOT, from), join(config, to));
  }
  await Deno.writeTextFile(join(config, "theme/index.mjs"), THEME);
  await copyPages(pages);
  await writeReference(join(pages, "public/reference"));
  const vitepress = join(packages, "vitepress/bin/vitepress.js");
  await run(node.path, [vitepress, "build", pages], {
    LISTENFDS_SITE_BASE: base,
  });
  return { directory, packages, node };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { serve: { type: "boolean" }, base: { type: "string" } },
  });
  console.log("Building the site …");
  const { directory, packages, node } = await buildSite(values.base);
  console.log(`The site is in ${directory}`);
  if (values.serve) {
    const vitepress = join(packages, "vitepress/bin/vitepress.js");
    const pages = join(dirname(directory), "pages");
    const args = [vitepress, "preview", pages];
    const { code } = await new Deno.Command(node.path, { args }).spawn().status;
    Deno.exit(code);
  }
}
