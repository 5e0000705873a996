/** A headless browser, and the built site that it opens. */

import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { after, before } from "node:test";
import { requireVariable } from "../harness/hosts.ts";
import { CLEANUP } from "../harness/timed_test.ts";

/** The directory of the built site. */
export const SITE: string = requireVariable("LISTENFDS_SITE", "docs");
const PACKAGES = requireVariable("LISTENFDS_SITE_PACKAGES", "docs");
const CHROMIUM = requireVariable("LISTENFDS_CHROMIUM", "docs");

/** What the tests use of a page of playwright-core. */
export interface Page {
  goto(url: string): Promise<unknown>;
  evaluate<T>(script: string): Promise<T>;
  fill(selector: string, value: string): Promise<void>;
  click(selector: string): Promise<void>;
  waitForSelector(selector: string): Promise<unknown>;
  on(event: "console", listener: (message: Message) => void): void;
  on(event: "pageerror", listener: (error: Error) => void): void;
  on(event: "response", listener: (response: Response) => void): void;
  close(): Promise<void>;
}

interface Message {
  type(): string;
  text(): string;
}

interface Response {
  status(): number;
  url(): string;
}

/** How a page is looked at. */
export interface View {
  readonly viewport: { readonly width: number; readonly height: number };
  readonly colorScheme: "light" | "dark";
}

/** A page of the browser. */
export interface Opened {
  readonly page: Page;
  /** Opens a page of the site; its errors are added to what is returned. */
  readonly goto: (name: string) => Promise<string[]>;
}

interface Browser {
  newPage(view: View): Promise<Page>;
  close(): Promise<void>;
}

const ARGUMENTS = [
  ..."--headless --no-sandbox --disable-gpu --disable-quic".split(" "),
  ..."--no-first-run --disable-background-networking".split(" "),
  ..."--disable-component-update --disable-sync".split(" "),
];

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
};

/** Serves the site as a host of static files does. */
function createServer(): http.Server {
  return http.createServer((request, response) => {
    const { pathname } = new URL(request.url!, "http://localhost");
    const name = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    const file = path.join(SITE, decodeURIComponent(name));
    if (!fs.existsSync(file)) return response.writeHead(404).end();
    const type = TYPES[path.extname(file)] ?? "application/octet-stream";
    response.setHeader("content-type", type);
    fs.createReadStream(file).pipe(response);
  });
}

/** Starts the browser and the site for the tests of a file. */
export function useBrowser(): {
  open(view: View): Promise<Opened>;
} {
  const server = createServer();
  let browser: Browser | undefined;
  before(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { chromium } = await import(
      path.join(PACKAGES, "playwright-core/index.mjs")
    );
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ARGUMENTS,
    });
  }, CLEANUP);
  after(async () => {
    await browser?.close();
    server.close();
    server.closeAllConnections();
  }, CLEANUP);

  return {
    async open(view) {
      const page = await browser!.newPage(view);
      let problems: string[] = [];
      page.on("console", (message) => {
        if (/error|warning/.test(message.type())) problems.push(message.text());
      });
      page.on("pageerror", ({ message }) => problems.push(message));
      page.on("response", (response) => {
        if (response.status() < 400) return;
        problems.push(`${response.status()} ${response.url()}`);
      });
      const { port } = server.address() as AddressInfo;
      const goto = async (name: string) => {
        problems = [];
        await page.goto(`http://127.0.0.1:${port}/${encodeURI(name)}`);
        return problems;
      };
      return { page, goto };
    },
  };
}

/** Returns the pages of the site, as paths. */
export function findSitePages(): string[] {
  return fs.readdirSync(SITE, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith(".html"))
    .sort();
}
