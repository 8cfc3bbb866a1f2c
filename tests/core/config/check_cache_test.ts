import { join } from "node:path";
import { loadConfig } from "../../../core/config/load.ts";
import { assertEquals } from "../../support/assert.ts";

/** The config with this `cache.disk.path`, in a folder; or what is wrong with it. */
async function load(folder: string, path: string) {
  const loaded = await loadConfig({
    path: join(folder, "proxy.yaml"),
    text: JSON.stringify({
      listeners: [{ name: "web", address: "127.0.0.1:0" }],
      clusters: [{ name: "main", backends: [] }],
      cache: { disk: { path, size: "1GiB" } },
    }),
    env: () => undefined,
  });
  return loaded.config?.cache?.disk ??
    loaded.problems.map(({ path, message }) =>
      `${path}: ${message.replaceAll(folder, "F")}`
    );
}

Deno.test("cache.disk.path is a folder beside the config, or can become one", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  try {
    await Deno.writeTextFile(join(folder, "file"), "");
    const size = 1 << 30;
    for (const path of ["./cache", "a/b/c", "."]) {
      assertEquals(await load(folder, path), {
        path: `${folder}/${path}`,
        size,
      });
    }
    assertEquals(await load("/x", folder), { path: folder, size });
    // Nothing was made.
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), [
      "file",
    ]);
    for (const path of ["file", "file/below"]) {
      assertEquals(await load(folder, path), [
        path === "file"
          ? "cache.disk.path: expected a folder, F/file is none"
          : "cache.disk.path: cannot look at the folder F/file/below (NotADirectory)",
      ]);
    }
    assertEquals(await load(folder, "/proc/cache"), [
      "cache.disk.path: expected a folder that may be written to, /proc may not",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
