/** The site of the documentation, as a browser shows it. */

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import {
  findSitePages,
  type Page,
  SITE,
  useBrowser,
  type View,
} from "./browser.ts";

const browser = useBrowser();

const VIEWS: readonly View[] = [360, 1280].flatMap((width) =>
  (["light", "dark"] as const).map((colorScheme) => ({
    viewport: { width, height: 800 },
    colorScheme,
  }))
);

const PAGES = findSitePages();
const isReference = (page: string) => page.startsWith("reference/");

/** Pictures that are broken, and elements that are wider than the page. */
const FAULTS = `(() => {
  const root = document.documentElement;
  const broken = [...document.images]
    .filter((image) => !image.complete || image.naturalWidth === 0)
    .map((image) => "broken picture " + image.src);
  if (root.scrollWidth <= root.clientWidth) return broken;
  const wide = [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > root.clientWidth + 1)
    .slice(-3)
    .map((each) => each.outerHTML.slice(0, 200));
  return [...broken, "wider than the page: " + wide.join(" | ")];
})()`;

async function findFaults(page: Page): Promise<string[]> {
  await page.evaluate("document.fonts.ready.then(() => {})");
  return await page.evaluate<string[]>(FAULTS);
}

for (const view of VIEWS) {
  const { viewport: { width }, colorScheme } = view;
  test(`every page is whole at a width of ${width}, ${colorScheme}`, async () => {
    assert.ok(PAGES.length > 15, "the site has its pages");
    const faults: Record<string, string[]> = {};
    for (const name of PAGES) {
      // The pages of the reference are all made by the same templates.
      if (isReference(name) && !/^reference\/[^/]*\.html$/.test(name)) continue;
      if (name === "404.html") continue;
      const { page, problems } = await browser.open(name, view);
      const found = [...problems, ...await findFaults(page)];
      if (!isReference(name)) {
        const isDark = await page.evaluate<boolean>(
          `document.documentElement.classList.contains("dark")`,
        );
        if (isDark !== (colorScheme === "dark")) found.push("wrong colours");
      }
      if (found.length > 0) faults[name] = found;
      await page.close();
    }
    assert.deepEqual(faults, {});
  });
}

test("each link of a page leads to a page, and to a heading in it", () => {
  const read = (page: string) => fs.readFileSync(path.join(SITE, page), "utf8");
  const faults: string[] = [];
  for (const name of PAGES.filter((page) => !isReference(page))) {
    for (const [, href] of read(name).matchAll(/<a [^>]*href="([^"]*)"/g)) {
      if (/^[a-z]+:/.test(href!)) continue;
      const url = new URL(href!, `http://localhost/${name}`);
      const file = decodeURIComponent(url.pathname).replace(
        /\/$/,
        "/index.html",
      );
      if (!fs.existsSync(path.join(SITE, file))) {
        faults.push(`${name}: ${href}`);
        continue;
      }
      const anchor = decodeURIComponent(url.hash.slice(1));
      if (anchor !== "" && !read(file).includes(`id="${anchor}"`)) {
        faults.push(`${name}: ${href}: no such heading`);
      }
    }
  }
  assert.deepEqual(faults, []);
});

test("the search finds a page, and its result opens it", async () => {
  const { page, problems } = await browser.open("index.html", VIEWS.at(-1)!);
  await page.click("button.DocSearch-Button");
  await page.fill("input.search-input", "exit when idle");
  await page.waitForSelector(".results a.result");
  await page.click(".results a.result");
  await page.waitForSelector("#exit-when-idle");
  assert.deepEqual(problems, []);
  await page.close();
});
