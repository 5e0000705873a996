import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { closestWord } from "../../../../src/cli/shared/suggestion.ts";

const WORDS = ["socket", "from-unit", "watch", "lazy", "stop-timeout"];

test("closestWord() finds the word that is meant", () => {
  for (
    const [typed, meant] of [
      ["sokcet", "socket"],
      ["sockets", "socket"],
      ["scket", "socket"],
      ["SOCKET", "socket"],
      ["form-unit", "from-unit"],
      ["fromunit", "from-unit"],
      ["wacth", "watch"],
      ["stop", "stop-timeout"],
      ["lay", "lazy"],
    ] as const
  ) assert.equal(closestWord(typed, WORDS), meant);
});

test("closestWord() suggests nothing for other words", () => {
  for (
    const typed of ["", "x", "toString", "frobnicate", "s".repeat(100_000)]
  ) {
    assert.equal(closestWord(typed, WORDS), undefined);
  }
});

test("closestWord() finds each word with a letter less or replaced", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...WORDS.filter(({ length }) => length > 4)),
      fc.nat(),
      fc.constantFrom("", "x"),
      (word, random, replacement) => {
        const index = random % word.length;
        const typed = word.slice(0, index) + replacement +
          word.slice(index + 1);
        assert.equal(closestWord(typed, WORDS), word);
      },
    ),
  );
});
