import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  OptionsReader,
  replaceMembers,
} from "../../../../src/runtime/adoption/options_reader.ts";

class Options {
  readonly #secret = "private";
  port = 1;
  path = "/x";
  get secret() {
    return this.#secret;
  }
  fetch() {
    return "inherited";
  }
}

test("replaceMembers() shows private and inherited members", () => {
  const options = new Options();
  const replaced = replaceMembers(options, { port: 2 }) as Options;
  assert.equal(replaced.secret, "private");
  assert.equal(replaced.fetch, options.fetch);
  assert.equal(replaced.port, 2);
  assert.equal(options.port, 1);
});

test("replaceMembers() hides a member that is replaced with undefined", () => {
  const replaced = replaceMembers(new Options(), { path: undefined });
  assert.equal(Reflect.get(replaced, "path"), undefined);
  assert.ok(!("path" in replaced));
  assert.ok(!Object.hasOwn(replaced, "path"));
  assert.deepEqual({ ...replaced }, { port: 1 });
});

test("replaceMembers() has the members of a copy, whatever is frozen", () => {
  const members = fc.dictionary(fc.string(), fc.integer());
  fc.assert(
    fc.property(members, members, fc.boolean(), (own, other, isFrozen) => {
      const options = isFrozen ? Object.freeze({ ...own }) : { ...own };
      const replaced = replaceMembers(options, other);
      assert.deepEqual({ ...replaced }, { ...own, ...other });
      for (const name of Object.keys(other)) {
        assert.ok(Object.hasOwn(replaced, name));
        assert.ok(name in replaced);
      }
    }),
  );
});

test("OptionsReader reads a member once, from the object itself", () => {
  let reads = 0;
  const options = {
    get port() {
      reads++;
      assert.equal(this, options);
      return 1;
    },
    host: undefined,
  };
  const reader = new OptionsReader(options);
  const replaced = reader.replace({ path: "/x" });
  for (let round = 0; round < 3; round++) {
    assert.equal(Reflect.get(replaced, "port"), 1);
  }
  assert.equal(reader.read("port"), 1);
  assert.equal(reader.read("host"), undefined);
  assert.equal(reads, 1);
  assert.deepEqual(reader.members, { port: 1 });
});
