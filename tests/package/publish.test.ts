/**
 * Publishing on npm: the command of the workflow, with the tarball, against a
 * registry on the loopback interface.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { json } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { distributionTag } from "../../scripts/release_version.ts";
import { ROOT } from "../harness/hosts.ts";
import { temporaryDirectory } from "../harness/machine_tools.ts";
import { test } from "../harness/timed_test.ts";
import {
  MANIFEST,
  NODE,
  npm,
  PACKAGE_TOOLS,
  succeed,
  TARBALL,
} from "./project.ts";

/** What npm sends to publish a version. */
interface Publication {
  readonly name: string;
  readonly "dist-tags": Readonly<Record<string, string>>;
  readonly access: string;
  readonly _attachments: Readonly<Record<string, { readonly data: string }>>;
}

const [COMMAND] = /npm publish .*/.exec(
  fs.readFileSync(path.join(ROOT, ".github/workflows/publish.yml"), "utf8"),
)!;

/** Runs the command of the workflow in a directory; gives what npm sent. */
async function publish(
  t: TestContext,
  directory: string,
): Promise<Publication> {
  const sent: Publication[] = [];
  const server = http.createServer(async (request, response) => {
    if (request.method !== "PUT") return response.writeHead(404).end("{}");
    sent.push(await json(request) as Publication);
    response.writeHead(201).end("{}");
  });
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  const userconfig = path.join(directory, "npmrc");
  fs.writeFileSync(
    userconfig,
    `registry=http://${host}/\n//${host}/:_authToken=token\n`,
  );
  const cli = path.join(PACKAGE_TOOLS, "npm/bin/npm-cli.js");
  // Provenance is what only a workflow can have.
  const command = COMMAND.replace(" --provenance", "");
  const script = `npm() { "${NODE}" "${cli}" "$@"; }\n${command}`;
  await succeed("bash", ["-ec", script], directory, {
    npm_config_userconfig: userconfig,
  });
  assert.equal(sent.length, 1);
  return sent[0]!;
}

test("the workflow's command publishes the tarball, for everybody", async (t) => {
  const directory = temporaryDirectory(t);
  fs.mkdirSync(path.join(directory, "npm"));
  fs.copyFileSync(
    TARBALL,
    path.join(directory, "npm", path.basename(TARBALL)),
  );
  const sent = await publish(t, directory);
  const { name, version } = MANIFEST;
  const tag = distributionTag(version) ?? "latest";
  assert.equal(sent.name, name);
  assert.equal(sent.access, "public");
  assert.deepEqual(sent["dist-tags"], { [tag]: version });
  const [attached] = Object.values(sent._attachments);
  assert.equal(attached!.data, fs.readFileSync(TARBALL).toString("base64"));
});

test("the workflow's command publishes a prerelease as next", async (t) => {
  const directory = temporaryDirectory(t);
  const output = path.join(directory, "npm");
  fs.mkdirSync(output);
  await succeed("tar", ["-xzf", TARBALL, "-C", directory], directory);
  const root = path.join(directory, "package");
  const version = "9.9.9-rc.1";
  const publishConfig = { access: "public", tag: distributionTag(version) };
  fs.writeFileSync(
    path.join(root, "package.json"),
    JSON.stringify({ ...MANIFEST, version, publishConfig }),
  );
  await npm(["pack", "--pack-destination", output], root);
  const sent = await publish(t, directory);
  assert.deepEqual(sent["dist-tags"], { next: version });
});

test("package.json says how the package is published", () => {
  const tag = distributionTag(MANIFEST.version);
  assert.deepEqual(MANIFEST["publishConfig"], {
    access: "public",
    ...tag && { tag },
  });
});
