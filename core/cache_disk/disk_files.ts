/**
 * What the store on disk does with files: little enough that tests can bring
 * every failure of it.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { tryLock } from "../net/file_lock.ts";

/** Bytes that are written in one go, where there are so many. */
export const MAX_WRITE = 1 << 20;

/** A file that bytes are added to. */
export interface AppendFile {
  /** Adds all of them. Rejects where that fails, with nobody knows how many written. */
  append(bytes: Uint8Array): Promise<void>;
  /** Cuts off what lies behind. */
  truncate(length: number): Promise<void>;
  /** Resolves once what was added outlives a loss of power. */
  sync(): Promise<void>;
  close(): void;
}

/** A file that is read anywhere. */
export interface ReadFile {
  /** Reads from `at` until `into` is full or the file ends; how many bytes. One call at a time. */
  read(into: Uint8Array, at: number): Promise<number>;
  close(): void;
}

/** A folder's files, by their names in it. */
export interface DiskFiles {
  /** Opens a file to add to, made where it is not there. */
  append(path: string): Promise<AppendFile>;
  read(path: string): Promise<ReadFile>;
  /** All bytes of a file; undefined where there is none. */
  readAll(path: string): Promise<Uint8Array | undefined>;
  /** Bytes of a file; undefined where there is none. */
  size(path: string): Promise<number | undefined>;
  /** Gives a file another's name; that outlives a loss of power. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; nothing where there is none. */
  remove(path: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  /** Names of the files in a folder, with their bytes. */
  list(path: string): Promise<Map<string, number>>;
  /** Locks a file, made where it is not there; undefined where another has it. */
  lock(path: string): Promise<Disposable | undefined>;
}

/** The files of a folder of the system. */
export function systemFiles(root: string): DiskFiles {
  const of = (path: string) => join(root, path);
  return {
    append: async (path) =>
      new SystemAppend(
        await Deno.open(of(path), { append: true, create: true, mode: 0o600 }),
      ),
    read: async (path) => new SystemRead(await Deno.open(of(path))),
    readAll: (path) => Deno.readFile(of(path)).catch(ignoreMissing),
    size: async (path) =>
      (await Deno.stat(of(path)).catch(ignoreMissing))?.size,
    rename: (from, to) => rename(of(from), of(to)),
    remove: (path) => Deno.remove(of(path)).catch(ignoreMissing),
    makeFolder: (path) =>
      Deno.mkdir(of(path), { recursive: true, mode: 0o700 }),
    list: (path) => list(of(path)),
    lock: (path) => lock(of(path)),
  };
}

async function rename(from: string, to: string): Promise<void> {
  await Deno.rename(from, to);
  // Windows opens no folders; its own journal keeps the order.
  if (Deno.build.os === "windows") return;
  const folder = await Deno.open(dirname(to));
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}

async function list(folder: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (!isFile) continue;
    const info = await Deno.stat(join(folder, name)).catch(ignoreMissing);
    if (info !== undefined) sizes.set(name, info.size);
  }
  return sizes;
}

async function lock(path: string): Promise<Disposable | undefined> {
  const file = await Deno.open(path, {
    read: true,
    write: true,
    create: true,
    mode: 0o600,
  });
  // The lock ends with the file's handle, and with the process.
  if (await tryLock(file)) return file;
  file.close();
  return undefined;
}

function ignoreMissing(thrown: unknown): undefined {
  if (thrown instanceof Deno.errors.NotFound) return undefined;
  throw thrown;
}

class SystemAppend implements AppendFile {
  readonly #file: Deno.FsFile;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#file.write(bytes.subarray(at));
    }
  }

  truncate(length: number): Promise<void> {
    return this.#file.truncate(length);
  }

  sync(): Promise<void> {
    return this.#file.syncData();
  }

  close(): void {
    this.#file.close();
  }
}

class SystemRead implements ReadFile {
  readonly #file: Deno.FsFile;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  async read(into: Uint8Array, at: number): Promise<number> {
    // A seek touches no disk: sync it costs 1 µs instead of 40.
    this.#file.seekSync(at, Deno.SeekMode.Start);
    let count = 0;
    while (count < into.length) {
      const more = await this.#file.read(into.subarray(count));
      if (more === null) break;
      count += more;
    }
    return count;
  }

  close(): void {
    this.#file.close();
  }
}

/** Handles that are kept open between reads. */
const MAX_IDLE = 128;

/** Reads of many files, several at once; keeps some of them open. */
export class ReadPool {
  readonly #files: DiskFiles;
  /** By path, the least used first. */
  readonly #idle = new Map<string, ReadFile[]>();
  #count = 0;
  #closed = false;

  constructor(files: DiskFiles) {
    this.#files = files;
  }

  /** As `ReadFile.read`. Rejects where the file can't be read. */
  async read(path: string, into: Uint8Array, at: number): Promise<number> {
    const file = this.#take(path) ?? await this.#files.read(path);
    try {
      const count = await file.read(into, at);
      this.#keep(path, file);
      return count;
    } catch (thrown) {
      file.close();
      throw thrown;
    }
  }

  #take(path: string): ReadFile | undefined {
    const idle = this.#idle.get(path);
    if (idle === undefined) return undefined;
    const file = idle.pop()!;
    this.#count--;
    if (idle.length === 0) this.#idle.delete(path);
    return file;
  }

  #keep(path: string, file: ReadFile): void {
    if (this.#closed) return file.close();
    const idle = this.#idle.get(path) ?? [];
    idle.push(file);
    this.#idle.delete(path);
    this.#idle.set(path, idle);
    this.#count++;
    if (this.#count > MAX_IDLE) this.forget(this.#idle.keys().next().value!);
  }

  /** The file is gone, or seldom read: its handles close. */
  forget(path: string): void {
    const idle = this.#idle.get(path);
    if (idle === undefined) return;
    this.#idle.delete(path);
    this.#count -= idle.length;
    for (const file of idle) file.close();
  }

  close(): void {
    this.#closed = true;
    for (const path of [...this.#idle.keys()]) this.forget(path);
  }
}
