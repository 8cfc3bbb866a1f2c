import fc from "fast-check";
import { expand } from "../../../core/config/expand.ts";
import { assertEquals } from "../../support/assert.ts";

const SOURCE = {
  env: (name: string) => new Map([["PORT", "8080"], ["EMPTY", ""]]).get(name),
  readFile: (path: string) =>
    path === "/run/secret"
      ? Promise.resolve("s3cret\n")
      : Promise.reject(new Deno.errors.NotFound(path)),
};

async function expandText(text: string): Promise<unknown> {
  const { value, findings } = await expand({ key: text }, SOURCE);
  assertEquals(findings, []);
  return (value as { key: unknown }).key;
}

async function messageOf(text: string): Promise<string | undefined> {
  const { findings } = await expand({ key: text }, SOURCE);
  return findings[0]?.message;
}

for (
  const [text, expanded] of [
    ["${PORT}", "8080"],
    ["127.0.0.1:${PORT}", "127.0.0.1:8080"],
    ["${PORT}${PORT}", "80808080"],
    ["${UNSET:-8081}", "8081"],
    ["${UNSET:-}", ""],
    ["${EMPTY:-full}", "full"],
    ["${EMPTY}", ""],
    ["${UNSET:-a:-b}", "a:-b"],
    ["${file:/run/secret}", "s3cret"],
    ["$$", "$"],
    ["$${PORT}", "${PORT}"],
    ["$$$$", "$$"],
    ["^/a$", "^/a$"],
    ["$HOME", "$HOME"],
    ["none", "none"],
  ] as const
) {
  Deno.test(`expand makes ${expanded} of ${text}`, async () => {
    assertEquals(await expandText(text), expanded);
  });
}

Deno.test("expand leaves alone whatever holds no dollar sign", async () => {
  await fc.assert(fc.asyncProperty(fc.jsonValue(), async (tree) => {
    const plain = JSON.parse(JSON.stringify(tree).replaceAll("$", ""));
    assertEquals((await expand(plain, SOURCE)).value, plain);
  }));
});

Deno.test("expand never expands what an expansion brought", async () => {
  const source = { ...SOURCE, env: () => "${PORT} $$" };
  const { value } = await expand(["${A}"], source);
  assertEquals(value, ["${PORT} $$"]);
});

Deno.test("expand touches values only, never keys", async () => {
  const { value } = await expand({ "${PORT}": [{ a: "${PORT}" }] }, SOURCE);
  assertEquals(value, { "${PORT}": [{ a: "8080" }] });
});

Deno.test("expand tells what stood at each expanded path", async () => {
  const { origins } = await expand({ a: ["x", "${PORT}"], b: "$$" }, SOURCE);
  assertEquals([...origins], [["a[1]", "${PORT}"]]);
});

Deno.test("expand refuses a variable that is not set, by name", async () => {
  assertEquals(
    await messageOf("${UNSET}"),
    "the environment variable UNSET is not set: set it, or write ${UNSET:-default}",
  );
});

Deno.test("expand refuses a file that can't be read, without its content", async () => {
  assertEquals(
    await messageOf("${file:/run/none}"),
    "cannot read the file /run/none (NotFound)",
  );
});

Deno.test("expand refuses an expansion that is not closed, has no name or is nested", async () => {
  assertEquals(await messageOf("${PORT"), "expected } after ${");
  assertEquals((await messageOf("${}"))?.startsWith("expected ${NAME}"), true);
  assertEquals((await messageOf("${9}"))?.startsWith("expected ${NAME}"), true);
  assertEquals(
    (await messageOf("${A:-${B}}"))?.startsWith("expected a plain default"),
    true,
  );
});

Deno.test("expand refuses a tree that holds itself", async () => {
  const tree: unknown[] = [];
  tree.push([tree]);
  const { findings } = await expand(tree, SOURCE);
  assertEquals(findings.map(({ path }) => path), [[0, 0]]);
});
