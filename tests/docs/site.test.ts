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

/** Not those that lead to another page at once, nor the one for missing pages. */
const PAGES = findSitePages().filter((page) =>
  page !== "404.html" && !readPage(page).includes('http-equiv="refresh"')
);
function readPage(page: string): string {
  return fs.readFileSync(path.join(SITE, page), "utf8");
}

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

/** Returns whether the colours of a page are those that the reader's system asks for. */
async function hasColours(page: Page, { colorScheme }: View): Promise<boolean> {
  const isDark = `document.documentElement.classList.contains("dark")`;
  return await page.evaluate<boolean>(isDark) === (colorScheme === "dark");
}

for (const view of VIEWS) {
  const { viewport: { width }, colorScheme } = view;
  test(`every page is whole at a width of ${width}, ${colorScheme}`, async () => {
    assert.ok(PAGES.length > 15, "the site has its pages");
    const faults: Record<string, string[]> = {};
    const { page, goto } = await browser.open(view);
    // The pages of the reference are alike: one view of each width is enough.
    const hasReference = (width === 360) === (colorScheme === "light");
    for (const name of PAGES) {
      if (isReference(name) && !hasReference) continue;
      const problems = await goto(name);
      const found = [...problems, ...await findFaults(page)];
      if (!isReference(name) && !await hasColours(page, view)) {
        found.push("wrong colours");
      }
      if (found.length > 0) faults[name] = found;
    }
    await page.close();
    assert.deepEqual(faults, {});
  });
}

test("each link of a page leads to a page, and to a heading in it", () => {
  const faults: string[] = [];
  for (const name of PAGES.filter((page) => !isReference(page))) {
    for (const [, href] of readPage(name).matchAll(/<a [^>]*href="([^"]*)"/g)) {
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
      if (anchor !== "" && !readPage(file).includes(`id="${anchor}"`)) {
        faults.push(`${name}: ${href}: no such heading`);
      }
    }
  }
  assert.deepEqual(faults, []);
});

test("the search finds a page, and its result opens it", async () => {
  const { page, goto } = await browser.open(VIEWS.at(-1)!);
  const problems = await goto("index.html");
  await page.click("button.DocSearch-Button");
  await page.fill("input.search-input", "exit when idle");
  await page.waitForSelector(".results a.result");
  await page.click(".results a.result");
  await page.waitForSelector("#exit-when-idle");
  assert.deepEqual(problems, []);
  await page.close();
});
