/**
 * A disk in memory that notes each write, so that a test can have it as it was
 * after any of them, or in the middle of one, and that fails where it is told to.
 *
 * @module
 */
import type { DiskFiles } from "../../core/cache_disk/disk_files.ts";

/** What changed the disk. */
type Change =
  | { readonly kind: "make"; readonly path: string }
  | {
    readonly kind: "append";
    readonly path: string;
    readonly bytes: Uint8Array;
  }
  | { readonly kind: "truncate"; readonly path: string; readonly to: number }
  | { readonly kind: "rename"; readonly path: string; readonly to: string }
  | { readonly kind: "remove"; readonly path: string };

/** An operation that may be made to fail. */
export type DiskOperation = Change["kind"] | "read" | "sync" | "list" | "lock";

/** A file. */
interface Inode {
  bytes: Uint8Array;
}

/** The disk. */
export class MemoryDisk implements DiskFiles {
  readonly files = new Map<string, Inode>();
  /** All that changed it, in order. */
  readonly log: Change[] = [];
  readonly #locks = new Set<string>();
  /** Asked before each operation: what it throws comes of it. A number instead writes so many bytes of an append first. */
  fails: (
    operation: DiskOperation,
    path: string,
  ) => Error | { readonly after: number } | undefined = () => undefined;
  open = 0;

  /** The disk as it was after the first so many changes, and after so many bytes of the next one where that is an append. */
  static after(log: readonly Change[], count: number, bytes = 0): MemoryDisk {
    const disk = new MemoryDisk();
    for (const change of log.slice(0, count)) disk.#apply(change);
    const next = log[count];
    if (next?.kind === "append" && bytes > 0) {
      disk.#apply({ ...next, bytes: next.bytes.subarray(0, bytes) });
    }
    return disk;
  }

  #apply(change: Change): void {
    const { kind, path } = change;
    const file = this.files.get(path);
    if (kind === "make") this.files.set(path, { bytes: new Uint8Array(0) });
    else if (kind === "remove") this.files.delete(path);
    else if (kind === "append") {
      const { bytes } = change;
      const grown = new Uint8Array(file!.bytes.length + bytes.length);
      grown.set(file!.bytes);
      grown.set(bytes, file!.bytes.length);
      file!.bytes = grown;
    } else if (kind === "truncate") {
      file!.bytes = file!.bytes.slice(0, change.to);
    } else {
      this.files.set(change.to, file!);
      this.files.delete(path);
    }
  }

  async #change(change: Change): Promise<void> {
    await Promise.resolve();
    const failure = this.fails(change.kind, change.path);
    if (failure !== undefined && !(failure instanceof Error)) {
      if (change.kind === "append") {
        const part = change.bytes.slice(0, failure.after);
        this.#note({ ...change, bytes: part });
      }
      throw new Error(`${change.kind} broke off`);
    }
    if (failure !== undefined) throw failure;
    this.#note(change);
  }

  #note(change: Change): void {
    this.log.push(change);
    this.#apply(change);
  }

  async #ask(operation: DiskOperation, path: string): Promise<void> {
    await Promise.resolve();
    const failure = this.fails(operation, path);
    if (failure instanceof Error) throw failure;
  }

  async append(path: string) {
    if (!this.files.has(path)) await this.#change({ kind: "make", path });
    this.open++;
    // A rename takes the open file with it.
    const inode = this.files.get(path)!;
    const name = () => {
      for (const [name, one] of this.files) if (one === inode) return name;
      return undefined;
    };
    return {
      append: async (bytes: Uint8Array) => {
        const path = name();
        if (path === undefined) return;
        await this.#change({ kind: "append", path, bytes: bytes.slice() });
      },
      truncate: async (to: number) => {
        const path = name();
        if (path === undefined) return;
        await this.#change({ kind: "truncate", path, to });
      },
      sync: () => this.#ask("sync", path),
      close: () => {
        this.open--;
      },
    };
  }

  async read(path: string) {
    await this.#ask("read", path);
    const inode = this.files.get(path);
    if (inode === undefined) throw new Deno.errors.NotFound(path);
    this.open++;
    return {
      read: async (into: Uint8Array, at: number) => {
        await this.#ask("read", path);
        const bytes = inode.bytes.subarray(at, at + into.length);
        into.set(bytes);
        return bytes.length;
      },
      close: () => {
        this.open--;
      },
    };
  }

  async readAll(path: string) {
    await this.#ask("read", path);
    return this.files.get(path)?.bytes.slice();
  }

  async size(path: string) {
    await this.#ask("read", path);
    return this.files.get(path)?.bytes.length;
  }

  rename(path: string, to: string) {
    return this.#change({ kind: "rename", path, to });
  }

  async remove(path: string) {
    if (!this.files.has(path)) return;
    await this.#change({ kind: "remove", path });
  }

  async makeFolder(path: string) {
    await this.#ask("list", path);
  }

  async list(folder: string) {
    await this.#ask("list", folder);
    const found = new Map<string, number>();
    for (const [path, { bytes }] of this.files) {
      if (!path.startsWith(`${folder}/`)) continue;
      found.set(path.slice(folder.length + 1), bytes.length);
    }
    return found;
  }

  async lock(path: string) {
    await this.#ask("lock", path);
    if (this.#locks.has(path)) return undefined;
    this.#locks.add(path);
    return { [Symbol.dispose]: () => void this.#locks.delete(path) };
  }
}
