import { LineFiles } from "../../../core/observe/line_files.ts";
import type { LineFileOptions } from "../../../core/plugin.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { MemoryLog } from "../../../core/testing/views.ts";

/** Files in a folder of their own. */
async function stage() {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const log = new MemoryLog();
  const files = new LineFiles(log);
  return {
    folder,
    log,
    files,
    open: (options?: LineFileOptions, name = "a") =>
      files.open(`${folder}/${name}`, options),
    /** Contents by name. */
    async all(): Promise<Record<string, string>> {
      const found: Record<string, string> = {};
      for await (const { name, isFile } of Deno.readDir(folder)) {
        if (isFile) found[name] = await Deno.readTextFile(`${folder}/${name}`);
      }
      return found;
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("a file is one for all who open it, and ends with the last", async () => {
  await using s = await stage();
  const [one, two] = await Promise.all([s.open(), s.open()]);
  await Promise.all([one.write(bytes("1\n")), two.write(bytes("2\n"))]);
  await one.close();
  await one.close();
  await assertRejects(() => one.write(bytes("x\n")), TypeError);
  assertEquals(await two.write(bytes("3\n")), 2);
  await two.close();
  assertEquals(await s.all(), { a: "1\n2\n3\n" });
});

Deno.test("a file that is there already is appended to", async () => {
  await using s = await stage();
  await Deno.writeTextFile(`${s.folder}/a`, "old\n");
  const file = await s.open({ maxBytes: 8 });
  await file.write(bytes("new\n"));
  await file.write(bytes("next\n"));
  await file.close();
  assertEquals(await s.all(), { a: "next\n", "a.1": "old\nnew\n" });
});

Deno.test("a file is moved away before it grows too large; the oldest go", async () => {
  await using s = await stage();
  const file = await s.open({ maxBytes: 4, keep: 2 });
  for (const text of ["11\n", "22\n", "33\n", "44\n", "too long\n", "6\n"]) {
    await file.write(bytes(text));
  }
  await file.close();
  assertEquals(await s.all(), {
    a: "6\n",
    "a.1": "too long\n",
    "a.2": "44\n",
  });
});

Deno.test("with nothing to keep a file is emptied", async () => {
  await using s = await stage();
  const file = await s.open({ maxBytes: 4, keep: 0 });
  for (const text of ["11\n", "22\n"]) await file.write(bytes(text));
  await file.close();
  assertEquals(await s.all(), { a: "22\n" });
});

Deno.test("a file is opened anew where somebody moved it away, between writes", async () => {
  await using s = await stage();
  const file = await s.open();
  const first = file.write(bytes("1\n"));
  const moved = first.then(() =>
    Deno.rename(`${s.folder}/a`, `${s.folder}/old`)
  );
  await moved;
  await Promise.all([file.write(bytes("2\n")), s.files.reopen()]);
  await file.write(bytes("3\n"));
  await file.close();
  assertEquals(await s.all(), { old: "1\n2\n", a: "3\n" });
});

Deno.test("a file that can't be opened anew or moved away stays in use", async () => {
  await using s = await stage();
  await Deno.mkdir(`${s.folder}/b`);
  const file = await s.files.open(`${s.folder}/b/a`, { maxBytes: 3 });
  await file.write(bytes("1\n"));
  await Deno.rename(`${s.folder}/b`, `${s.folder}/c`);
  await s.files.reopen();
  await file.write(bytes("2\n"));
  await file.write(bytes("3\n"));
  await file.close();
  assertEquals(await Deno.readTextFile(`${s.folder}/c/a`), "1\n2\n3\n");
  assert(s.log.records.every(({ level }) => level === "error"));
  assert(s.log.records.length > 0);
});

Deno.test("a file that can't be opened is refused, and tried anew", async () => {
  await using s = await stage();
  const path = `${s.folder}/none/a`;
  await assertRejects(() => s.files.open(path), Deno.errors.NotFound);
  await Deno.mkdir(`${s.folder}/none`);
  const file = await s.files.open(path);
  await file.close();
});

Deno.test("a write that fails leaves nothing of it", async () => {
  const files = new LineFiles(new MemoryLog());
  const file = await files.open("/dev/full");
  await assertRejects(() => file.write(bytes("1\n")));
  await file.close();
});
