import {
  LockFile,
  type LockHolder,
  lockHolder,
} from "../../../core/takeover/lock_file.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const A: LockHolder = { pid: 1, control: "/a" };
const B: LockHolder = { pid: 2, control: "/b" };

async function inFolder(
  run: (path: string, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(`${folder}/x.lock`, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function taken(path: string, holder: LockHolder): Promise<LockFile> {
  const lock = await LockFile.take(path, holder);
  assert(lock instanceof LockFile);
  return lock;
}

Deno.test("LockFile – one has it, the others learn who", () =>
  inFolder(async (path, folder) => {
    assertEquals(await lockHolder(path), undefined);
    const lock = await taken(path, A);
    assertEquals(await LockFile.take(path, B), A);
    assertEquals(await lockHolder(path), A);
    await lock.release();
    assertEquals(await lockHolder(path), undefined);
    assertEquals([...Deno.readDirSync(folder)], []);
    await (await taken(path, B)).release();
  }));

Deno.test("LockFile – of many at once one gets it", () =>
  inFolder(async (path) => {
    for (let round = 0; round < 10; round++) {
      const all = await Promise.all(
        Array.from(
          { length: 8 },
          (_, pid) => LockFile.take(path, { pid, control: `/${pid}` }),
        ),
      );
      const locks = all.filter((one) => one instanceof LockFile);
      assertEquals(locks.length, 1);
      await locks[0]!.release();
    }
  }));

Deno.test("LockFile – what a process left that ended badly is no lock", () =>
  inFolder(async (path) => {
    await Deno.writeTextFile(path, JSON.stringify(B));
    assertEquals(await lockHolder(path), undefined);
    const lock = await taken(path, A);
    assertEquals(await lockHolder(path), A);
    await lock.release();
  }));

Deno.test("LockFile.replace – takes it over, and its old holder can't let go of it", () =>
  inFolder(async (path, folder) => {
    const old = await taken(path, A);
    const fresh = await LockFile.replace(path, B);
    assertEquals(await lockHolder(path), B);
    await old.release();
    assertEquals(await lockHolder(path), B);
    assertEquals(await LockFile.take(path, A), B);
    await fresh.release();
    assertEquals([...Deno.readDirSync(folder)], []);
  }));

Deno.test("LockFile – ends with its process", () =>
  inFolder(async (path) => {
    const module = new URL(
      "../../../core/takeover/lock_file.ts",
      import.meta.url,
    );
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `import { LockFile } from "${module}";
        const lock = await LockFile.take("${path}", { pid: 9, control: "/c" });
        console.log(lock instanceof LockFile);
        Deno.kill(Deno.pid, "SIGKILL");`,
      ],
      env: { NO_COLOR: "1" },
      stderr: "inherit",
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "true\n");
    assertEquals(await lockHolder(path), undefined);
    await (await taken(path, A)).release();
  }));
