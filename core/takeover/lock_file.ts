/**
 * Locks in files (flock(2)): the system lets go of them with the process, however
 * that ends.
 *
 * @module
 */
import { tryLock } from "../net/file_lock.ts";

/** Who has a lock, as its file says. */
export interface LockHolder {
  readonly pid: number;
  /** The socket that it can be asked over. */
  readonly control: string;
}

/** How long a lock's holder may take to write who it is, in milliseconds. */
const WRITE_TIME = 500;

/** How long the end of a process may take from the close of its sockets on, in milliseconds. */
const END_TIME = 1_000;

/** A lock that is held. */
export class LockFile {
  readonly path: string;
  readonly #file: Deno.FsFile;
  readonly #ino: number | null;

  private constructor(path: string, file: Deno.FsFile, ino: number | null) {
    this.path = path;
    this.#file = file;
    this.#ino = ino;
  }

  /** The lock, or who has it; undefined where the holder does not say who it is. Rejects where there can be no such file. */
  static async take(
    path: string,
    holder: LockHolder,
  ): Promise<LockFile | LockHolder | undefined> {
    for (;;) {
      const file = await open(path);
      if (!await tryLock(file)) {
        file.close();
        return await readHolder(path);
      }
      const { ino } = await file.stat();
      // Its last holder may have removed it, or given it to another, meanwhile.
      if (ino !== null && ino !== await inodeOf(path)) {
        file.close();
        continue;
      }
      try {
        await write(file, holder);
      } catch (thrown) {
        file.close();
        throw thrown;
      }
      return new LockFile(path, file, ino);
    }
  }

  /** As `take`, from a process that ends just now: the system may be about to let go of its lock. */
  static async takeFromEnding(
    path: string,
    holder: LockHolder,
  ): Promise<LockFile | LockHolder | undefined> {
    const until = performance.now() + END_TIME;
    for (;;) {
      const taken = await LockFile.take(path, holder);
      if (taken instanceof LockFile || performance.now() > until) return taken;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Takes the lock from whoever has it: nobody else can have it in between. Rejects where there can be no such file. */
  static async replace(path: string, holder: LockHolder): Promise<LockFile> {
    const own = `${path}.${holder.pid}`;
    const file = await open(own);
    try {
      await file.lock(true);
      await write(file, holder);
      const { ino } = await file.stat();
      await Deno.rename(own, path);
      return new LockFile(path, file, ino);
    } catch (thrown) {
      file.close();
      await Deno.remove(own).catch(ignoreMissing);
      throw thrown;
    }
  }

  /** Whether it is still what others find: a process that takes over puts its own in its place. */
  async isThere(): Promise<boolean> {
    return this.#ino === null || await inodeOf(this.path) === this.#ino;
  }

  /** Gives it back; where another took it over, that one's stays. Rejects where its file can't be removed: nobody has it then. */
  async release(): Promise<void> {
    try {
      if (await this.isThere()) {
        await Deno.remove(this.path).catch(ignoreMissing);
      }
    } finally {
      this.#file.close();
    }
  }
}

/** Who holds the lock; undefined where nobody does, or says so. */
export async function lockHolder(
  path: string,
): Promise<LockHolder | undefined> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true, write: true });
  } catch (thrown) {
    ignoreMissing(thrown);
    return undefined;
  }
  const free = await tryLock(file);
  file.close();
  return free ? undefined : await readHolder(path);
}

async function open(path: string): Promise<Deno.FsFile> {
  return await Deno.open(path, {
    read: true,
    write: true,
    create: true,
    mode: 0o600,
  });
}

async function write(file: Deno.FsFile, holder: LockHolder): Promise<void> {
  await file.truncate();
  const bytes = new TextEncoder().encode(JSON.stringify(holder));
  for (let at = 0; at < bytes.length;) {
    at += await file.write(bytes.subarray(at));
  }
}

async function readHolder(path: string): Promise<LockHolder | undefined> {
  const until = performance.now() + WRITE_TIME;
  do {
    const text = await Deno.readTextFile(path).catch(ignoreMissing) ?? "";
    try {
      return JSON.parse(text) as LockHolder;
    } catch {
      // It has the lock and has not written yet.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } while (performance.now() < until);
  return undefined;
}

async function inodeOf(path: string): Promise<number | null> {
  return (await Deno.stat(path).catch(ignoreMissing))?.ino ?? null;
}

function ignoreMissing(thrown: unknown): undefined {
  if (thrown instanceof Deno.errors.NotFound) return undefined;
  throw thrown;
}
