import { YamlSource } from "../../../core/config/yaml_source.ts";
import { assertEquals } from "../../support/assert.ts";

const TEXT = `a:
  - b: one
    c: [two, "three"]
base: &base { d: 1 }
merged:
  <<: *base
  e: x # y
`;

Deno.test("YamlSource.position finds keys and values by path", async () => {
  const source = await YamlSource.read(TEXT);
  assertEquals(source.position(["a", 0, "b"], "key"), { line: 2, column: 5 });
  assertEquals(source.position(["a", 0, "b"]), { line: 2, column: 8 });
  assertEquals(source.position(["a", 0, "c", 1]), { line: 3, column: 14 });
});

Deno.test("YamlSource.position finds what a merge brought", async () => {
  const source = await YamlSource.read(TEXT);
  assertEquals(source.position(["merged", "d"], "key"), {
    line: 4,
    column: 15,
  });
});

Deno.test("YamlSource.position answers the nearest that is there", async () => {
  const source = await YamlSource.read(TEXT);
  assertEquals(source.position(["a", 0, "none"]), { line: 2, column: 5 });
  assertEquals(source.position(["none", "none"]), { line: 1, column: 1 });
  const empty = await YamlSource.read("");
  assertEquals(empty.position(["a"]), { line: 1, column: 1 });
});

Deno.test("YamlSource.style tells how a value is written", async () => {
  const source = await YamlSource.read(
    "a: x\nb: 'x'\nc: \"x\"\nd: |\n  x\ne: [x]\nf:\n  - x\n",
  );
  assertEquals(
    ["a", "b", "c", "d", "e", "f", "g"].map((key) => source.style([key])),
    ["plain", "quoted", "quoted", "block", "flow", "none", "none"],
  );
});

Deno.test("YamlSource.isCut tells values that a comment ends", async () => {
  const source = await YamlSource.read(`${TEXT}q: 'x' # y\n`);
  assertEquals(source.isCut(["merged", "e"]), true);
  assertEquals(source.isCut(["a", 0, "b"]), false);
  assertEquals(source.isCut(["q"]), false);
});

Deno.test("YamlSource.faults tells aliases and tags that nobody knows", async () => {
  const source = await YamlSource.read("a: *b\nc: !d e\n");
  assertEquals(
    source.faults().map(({ code, line, column }) => [code, line, column]),
    [["BAD_ALIAS", 1, 4], ["UNKNOWN_TAG", 2, 4]],
  );
});
