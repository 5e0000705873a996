/**
 * A registry of npm packages on the loopback interface, for as long as a test
 * runs: what is installed in an empty project comes from here, and nothing else.
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

/** A package to offer. */
export interface Offered {
  /** Its `package.json`. */
  readonly manifest: { readonly name: string; readonly version: string };
  /** The path of its tarball. */
  readonly tarball: string;
}

/** Starts a registry that offers some packages, and returns its address. */
export async function startRegistry(
  t: Pick<TestContext, "after">,
  packages: readonly Offered[],
): Promise<string> {
  const server = http.createServer((request, response) => {
    const { address, port } = server.address() as AddressInfo;
    const base = `http://${address}:${port}`;
    const path = decodeURIComponent(request.url ?? "").slice(1);
    for (const offered of packages) {
      const { name } = offered.manifest;
      if (path === name) {
        response.setHeader("content-type", "application/json");
        return response.end(JSON.stringify(describe(offered, base)));
      }
      if (path === `${name}.tgz`) {
        return fs.createReadStream(offered.tarball).pipe(response);
      }
    }
    return response.writeHead(404).end();
  });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { address, port } = server.address() as AddressInfo;
  return `http://${address}:${port}/`;
}

function describe({ manifest, tarball }: Offered, base: string): unknown {
  const { name, version } = manifest;
  const bytes = fs.readFileSync(tarball);
  const hash = (algorithm: string, encoding: "hex" | "base64") =>
    createHash(algorithm).update(bytes).digest(encoding);
  const dist = {
    tarball: `${base}/${name}.tgz`,
    shasum: hash("sha1", "hex"),
    integrity: `sha512-${hash("sha512", "base64")}`,
  };
  return {
    name,
    "dist-tags": { latest: version },
    versions: { [version]: { ...manifest, dist } },
    // Long ago: package managers may refuse what was published just now.
    time: { [version]: "2020-01-01T00:00:00.000Z" },
  };
}
