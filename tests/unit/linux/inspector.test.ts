/** What this process's runtime really says of its own files and sockets. */

import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import { platform, tmpdir } from "node:os";
import { test } from "node:test";
import { procInspector } from "../../../src/linux/proc_inspector.ts";
import { currentPlatform } from "../../../src/runtime/current.ts";
import { procReader } from "../../../src/runtime/proc_reader.ts";

const { inspector, pidfdId } = currentPlatform();
const onLinux = { skip: platform() !== "linux" };

test("the inspector reads paths as node:fs does", () => {
  const here = new URL(import.meta.url).pathname;
  for (const path of ["/dev/null", "/dev/zero", here, tmpdir(), "/"]) {
    const stat = fs.statSync(path, { bigint: true });
    const kind = stat.isFile()
      ? "file"
      : stat.isCharacterDevice()
      ? "character-device"
      : "other";
    assert.deepEqual(inspector.inspectPath(path), {
      kind,
      device: stat.dev,
      inode: stat.ino,
      specialDevice: stat.rdev,
    });
  }
  assert.equal(inspector.inspectPath(`${here}.gone`), null);
  assert.equal(inspector.inspectPath(`${here}/gone`), null);
});

test("the inspector knows an open file, and a closed one", onLinux, () => {
  const here = new URL(import.meta.url).pathname;
  const fd = fs.openSync(here, "r");
  const [info] = inspector.inspect([fd]);
  fs.closeSync(fd);
  const { dev, ino } = fs.statSync(here, { bigint: true });
  assert.deepEqual(info, {
    kind: "file",
    device: dev,
    inode: ino,
    specialDevice: 0n,
    nonBlocking: false,
    closeOnExec: true,
    link: here,
  });
  assert.deepEqual(inspector.inspect([fd]), [{ kind: "closed" }]);
});

test("the inspector and /proc agree on sockets", onLinux, async () => {
  const path = `${tmpdir()}/listenfds-${process.pid}-a\nb.sock`;
  const servers = [net.createServer(), net.createServer()];
  const [inet, unix] = servers as [net.Server, net.Server];
  await new Promise<void>((resolve) => inet.listen(0, "127.0.0.1", resolve));
  await new Promise<void>((resolve) => unix.listen(path, resolve));
  const fds = fs.readdirSync("/proc/self/fd").map(Number);
  const infos = inspector.inspect(fds);
  const { port } = inet.address() as net.AddressInfo;
  const addresses = [
    { kind: "ipv4", hostname: "127.0.0.1", port },
    { kind: "unix", path },
  ];
  for (const address of addresses) {
    const text = JSON.stringify(address);
    const index = infos.findIndex((info) =>
      JSON.stringify(info.address) === text
    );
    assert.equal(infos[index]?.kind, "stream-listener", text);
    const [info] = procInspector(procReader).inspect([fds[index]!]);
    // Except for metadata that only the C library has.
    const known = Object.entries(info!).filter(([, value]) =>
      value !== undefined
    );
    assert.ok(known.length >= 7, text);
    assert.deepEqual(
      { ...infos[index], ...Object.fromEntries(known) },
      infos[index],
    );
  }
  for (const server of servers) server.close();
  fs.rmSync(path, { force: true });
});

test("procReader.lines() gives every line of a file of any length", () => {
  const path = `${tmpdir()}/listenfds-${process.pid}-lines`;
  const lines = Array.from({ length: 9_000 }, (_, index) => `\ufeff${index} é`);
  // Of four bytes each, one of them across the end of every chunk.
  lines[0] = `x${"😀".repeat(60_000)}`;
  const texts = [lines.join("\n"), `${lines.join("\n")}\n`, "\n\n", ""];
  const expected = [lines, lines, ["", ""], []];
  for (const [index, text] of texts.entries()) {
    fs.writeFileSync(path, text);
    assert.deepEqual([...procReader.lines(path)], expected[index]);
  }
  fs.rmSync(path);
  assert.throws(() => [...procReader.lines(path)], { code: "ENOENT" });
});

test("Runtime.pidfdId() returns the same id each time", () => {
  const id = pidfdId();
  assert.ok(id === undefined || (typeof id === "bigint" && id > 0n));
  assert.equal(pidfdId(), id);
});
