import { openBelow, pathParts } from "../../plugins/file_path.ts";
import { assertEquals } from "../support/assert.ts";

const PARTS: readonly (readonly [string, readonly string[] | undefined])[] = [
  ["/", []],
  ["/a/b/", ["a", "b"]],
  ["//", undefined],
  ["//a", undefined],
  ["/a//b/", undefined],
  ["/a//", undefined],
  ["/a%20b", ["a b"]],
  ["/%C3%A9", ["é"]],
  ["/%252e%252e/", ["%2e%2e"]],
  ["/...", ["..."]],
  ["/a/../b", undefined],
  ["/./b", undefined],
  ["/%2e%2e/etc/passwd", undefined],
  ["/.%2E/etc/passwd", undefined],
  ["/..%2fetc/passwd", undefined],
  ["/a%2Fb", undefined],
  ["/a\\..\\b", undefined],
  ["/a%5c..%5cb", undefined],
  ["/a%00.html", undefined],
  ["/a%0a", undefined],
  ["/%", undefined],
  ["/%zz", undefined],
  // Overlong UTF-8 for a dot and a slash.
  ["/%c0%ae%c0%ae/", undefined],
  ["/%c0%af", undefined],
];
for (const [path, parts] of PARTS) {
  Deno.test(`pathParts of ${path}`, () => {
    assertEquals(pathParts(path), parts as string[] | undefined);
  });
}

Deno.test("openBelow follows links as its policy says", async (t) => {
  const folder = await Deno.realPath(
    await Deno.makeTempDir({ prefix: "headrace-test-" }),
  );
  const root = `${folder}/root`;
  await Deno.mkdir(`${root}/sub`, { recursive: true });
  await Deno.mkdir(`${folder}/root2`);
  await Deno.writeTextFile(`${folder}/secret`, "secret");
  await Deno.writeTextFile(`${folder}/root2/a`, "beside");
  await Deno.writeTextFile(`${root}/sub/a`, "a");
  await Deno.symlink(`${folder}/secret`, `${root}/out`);
  await Deno.symlink("../root2", `${root}/beside`);
  await Deno.symlink("sub/a", `${root}/in`);
  await Deno.symlink("..", `${root}/up`);
  await Deno.symlink("loop", `${root}/loop`);
  const mkfifo = await new Deno.Command("mkfifo", { args: [`${root}/pipe`] })
    .output();
  const kindOf = async (
    path: string,
    policy: "inside" | "never" | "any" = "inside",
  ) => {
    const found = await openBelow(root, path.split("/"), policy);
    if (found === undefined || found === "directory") return found;
    const text = await new Response(found.file.readable).text();
    return text;
  };
  const rows = [
    ["sub/a", "a", "a", "a"],
    ["sub", "directory", "directory", "directory"],
    ["none", undefined, undefined, undefined],
    ["sub/a/b", undefined, undefined, undefined],
    ["in", "a", undefined, "a"],
    ["out", undefined, undefined, "secret"],
    ["beside/a", undefined, undefined, "beside"],
    ["up", undefined, undefined, "directory"],
    ["up/secret", undefined, undefined, "secret"],
    ["up/root/sub/a", "a", undefined, "a"],
    ["loop", undefined, undefined, undefined],
    ["x".repeat(300), undefined, undefined, undefined],
  ] as const;
  for (const [path, inside, never, any] of rows) {
    await t.step(path.slice(0, 20), async () => {
      assertEquals(await kindOf(path), inside, "inside");
      assertEquals(await kindOf(path, "never"), never, "never");
      assertEquals(await kindOf(path, "any"), any, "any");
    });
  }
  await t.step("a pipe does not hold anybody up", async () => {
    assertEquals(mkfifo.success, true);
    assertEquals(await kindOf("pipe"), undefined);
  });
  await Deno.remove(folder, { recursive: true });
});
