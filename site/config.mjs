/**
 * The site of the documentation. `scripts/docs/site.ts` copies this file and the
 * pages to where VitePress reads them.
 */

import fs from "node:fs";
import process from "node:process";
import { anchorOf } from "../scripts/docs/markdown.ts";

/** The pages in the order in which they are read; others follow. */
const GROUPS = [
  ["Start", "index"],
  [
    "Use",
    "frameworks api descriptors restarts instances notify runtimes",
  ],
  ["Deploy", "command containers hardening managers support troubleshooting"],
  ["Background", "comparison benchmarks examples changes changelog"],
];

const names = fs.readdirSync(new URL("../", import.meta.url))
  .filter((name) => name.endsWith(".md"))
  .map((name) => name.slice(0, -".md".length));

function item(name) {
  if (name === "index") return { text: "Five minutes", link: "/" };
  const page = fs.readFileSync(
    new URL(`../${name}.md`, import.meta.url),
    "utf8",
  );
  const [, title] = /^# (.+)$/m.exec(page);
  return {
    text: title.split(/[:,] /)[0].replaceAll("`", ""),
    link: `/${name}`,
  };
}

function sidebar() {
  const listed = new Set(GROUPS.flatMap(([, list]) => list.split(" ")));
  const others = names.filter((name) => !listed.has(name)).join(" ");
  return [...GROUPS, ["More", others]]
    .map(([text, list]) => ({
      text,
      items: list.split(" ").filter((name) => names.includes(name)).map(item),
    }))
    .filter(({ items }) => items.length > 0);
}

export default {
  title: "listenfds",
  description:
    "systemd socket activation with named descriptors, on Deno, Bun and Node",
  lang: "en",
  outDir: "../dist",
  base: process.env.LISTENFDS_SITE_BASE ?? "/",
  markdown: { anchor: { slugify: anchorOf } },
  // A link to a page that isn't there ends the build.
  ignoreDeadLinks: false,
  themeConfig: {
    search: { provider: "local" },
    nav: [
      { text: "Five minutes", link: "/" },
      // Made by deno doc: VitePress doesn't know its pages.
      { text: "Reference", link: "/reference/index.html", target: "_self" },
    ],
    sidebar: sidebar(),
    outline: [2, 3],
  },
};
