import { defaultRunDir, makeRunDir } from "../../../core/takeover/run_dir.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";

function folderOf(env: Readonly<Record<string, string>>, uid: number | null) {
  return defaultRunDir({ get: (name) => env[name] }, uid);
}

Deno.test("defaultRunDir – what is said, else what the system has for it", () => {
  const env = { HEADRACE_RUN_DIR: "/a", XDG_RUNTIME_DIR: "/b" };
  assertEquals(folderOf(env, 1), "/a");
  assertEquals(
    folderOf({ RUNTIME_DIRECTORY: "/run/x:/run/y", XDG_RUNTIME_DIR: "/b" }, 1),
    "/run/x/run",
  );
  assertEquals(folderOf({ XDG_RUNTIME_DIR: "/b" }, 1), "/b/headrace");
  assertEquals(
    folderOf({ XDG_RUNTIME_DIR: "b", TMPDIR: "/t" }, 7),
    "/t/headrace-7",
  );
  assertEquals(folderOf({}, 0), "/run/headrace");
  assertEquals(folderOf({}, 7), "/tmp/headrace-7");
  assertEquals(folderOf({}, null), "/tmp/headrace-user");
});

Deno.test("makeRunDir – makes a folder for its owner alone, and refuses one that others may write to", async () => {
  const base = await Deno.makeTempDir();
  try {
    await makeRunDir(`${base}/a/b`);
    assertEquals((await Deno.stat(`${base}/a/b`)).mode! & 0o777, 0o700);
    await makeRunDir(`${base}/a/b`);

    await Deno.mkdir(`${base}/open`);
    await Deno.chmod(`${base}/open`, 0o777);
    await assertRejects(
      () => makeRunDir(`${base}/open`),
      Error,
      "no other may write to",
    );
    // What it leads to is whose it is; the link is anybody's.
    await Deno.symlink(`${base}/a/b`, `${base}/link`);
    await assertRejects(() => makeRunDir(`${base}/link`), Error, "a folder");
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});
