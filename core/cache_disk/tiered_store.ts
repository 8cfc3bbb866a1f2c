/**
 * Memory in front of a disk, as one store. What memory has is answered at once;
 * whatever is stored goes to the disk as well, behind the client's back, so that
 * memory may forget it first. What is too large for memory is on disk only.
 *
 * @module
 */
import type { MemoryStore } from "../cache/memory_store.ts";
import {
  type CacheStore,
  isPurged,
  NO_ENTRIES,
  type Purge,
  type StoredEntry,
  type StoredHead,
  type StoreStats,
  type StoreWriter,
} from "../cache/store.ts";
import type { BodyReader } from "../message/body.ts";
import { DiskCopy } from "./disk_copy.ts";
import type { DiskStore } from "./disk_store.ts";

/** Bytes that may wait in memory to be written to disk. */
const MAX_WAITING = 64 << 20;

/** An entry on its way from memory to the disk. */
interface Descent {
  readonly key: string;
  readonly tags: readonly string[];
  readonly copy: DiskCopy;
  /** What writes it, until all of it is written. */
  writer: StoreWriter | undefined;
}

/** Keeps responses in memory and on disk. */
export class TieredStore implements CacheStore {
  readonly #memory: MemoryStore;
  readonly #disk: DiskStore;
  readonly #mostWaiting: number;
  /** Copies on disk of entries in memory, there or on their way. */
  readonly #copies = new WeakMap<StoredEntry, DiskCopy>();
  readonly #descents = new Set<Descent>();
  /** Bytes of these. */
  #waiting = 0;
  readonly #running = new Set<Promise<void>>();
  /** Purges that the disk is at. */
  readonly #purges = new Set<Purge>();
  /** Entries that were stored in memory alone, as too much waited for the disk. */
  #skipped = 0;

  /** So many bytes may wait to be written to disk, by default 64 MiB; what comes beyond is in memory alone. */
  constructor(memory: MemoryStore, disk: DiskStore, waiting = MAX_WAITING) {
    this.#memory = memory;
    this.#disk = disk;
    this.#mostWaiting = waiting;
  }

  find(key: string): readonly StoredEntry[] | Promise<readonly StoredEntry[]> {
    const near = this.#memory.find(key);
    const far = this.#disk.count(key);
    if (far === 0) return near;
    let both = 0;
    for (const entry of near) {
      const copy = this.#copies.get(entry);
      if (copy !== undefined && this.#disk.isLive(copy)) both++;
    }
    return both === far ? near : this.#merge(key);
  }

  /** What memory has, and what it has not. */
  async #merge(key: string): Promise<readonly StoredEntry[]> {
    const far = await this.#disk.find(key);
    const near = this.#memory.find(key);
    const known = new Set(
      near.flatMap((entry) => this.#copies.get(entry)?.born ?? []),
    );
    const others = far.filter((entry) =>
      !known.has(this.#disk.copyOf(entry)!.born)
    );
    if (others.length === 0) return near;
    if (near.length === 0) return others;
    return [...near, ...others]
      .sort((a, b) => b.head.receivedAt - a.head.receivedAt);
  }

  used(entry: StoredEntry): void {
    const copy = this.#disk.copyOf(entry);
    if (copy === undefined) {
      this.#memory.used(entry);
      const own = this.#copies.get(entry);
      if (own !== undefined) this.#disk.use(own);
      return;
    }
    this.#disk.use(copy);
    this.#rise(entry, copy);
  }

  /** What was of use on disk comes into memory where its body is at hand. */
  #rise(entry: StoredEntry, copy: DiskCopy): void {
    const body = this.#disk.bodyAtHand(entry);
    if (body === undefined || !this.#disk.isLive(copy)) return;
    const { key, head } = entry;
    if (this.#twinOf(key, copy) !== undefined) return;
    // Memory has forgotten it, the disk is about to.
    for (const purge of this.#purges) {
      if (isPurged(purge, key, head.tags)) return;
    }
    const writer = this.#memory.begin(key, head, body.length);
    if (writer?.append(body) !== true) return writer?.abort();
    const risen = writer.commit(head, []) as StoredEntry | undefined;
    if (risen !== undefined) this.#copies.set(risen, copy);
  }

  /** The entry in memory that has this copy. */
  #twinOf(key: string, copy: DiskCopy): StoredEntry | undefined {
    return this.#memory.find(key).find((entry) =>
      this.#copies.get(entry)?.born === copy.born && copy.born !== 0
    );
  }

  begin(
    key: string,
    head: StoredHead,
    size: number | undefined,
  ): StoreWriter | undefined {
    const near = this.#memory.begin(key, head, size);
    const first = near ?? this.#disk.begin(key, head, size);
    if (first === undefined) return undefined;
    return new TieredWriter(first, near === undefined, {
      disk: () => this.#disk.begin(key, head, size),
      commit: (final, replaced) => this.#commit(first, final, replaced),
      replace: (replaced) => this.#forget(replaced),
    });
  }

  #commit(
    writer: StoreWriter,
    head: StoredHead,
    replaced: readonly StoredEntry[],
  ): StoredEntry | undefined {
    this.#forget(replaced);
    const entry = writer.commit(head, NO_ENTRIES) as StoredEntry | undefined;
    if (entry !== undefined) this.#descend(entry);
    return entry;
  }

  /** Forgets what is replaced, in memory and on disk. */
  #forget(entries: readonly StoredEntry[]): void {
    for (const entry of entries) {
      const copy = this.#disk.copyOf(entry) ?? this.#copies.get(entry);
      this.#forgetNear(entry);
      if (copy !== undefined) this.#cancel(copy);
    }
  }

  /** Forgets a copy, also where it is on its way. */
  #cancel(copy: DiskCopy): void {
    this.#disk.drop(copy);
    for (const descent of this.#descents) {
      if (descent.copy === copy) descent.writer?.abort();
    }
  }

  /** Forgets what memory has of it, also where it rose since it was found. */
  #forgetNear(entry: StoredEntry): void {
    const copy = this.#disk.copyOf(entry);
    const near = copy === undefined ? entry : this.#twinOf(entry.key, copy);
    if (near !== undefined) this.#memory.remove(near);
  }

  /** Writes an entry to disk, without anybody waiting for it. */
  #descend(entry: StoredEntry): void {
    const { key, head, size } = entry;
    if (this.#waiting + size > this.#mostWaiting) {
      this.#skipped++;
      return;
    }
    const copy = new DiskCopy();
    const writer = this.#disk.write(key, copy, size);
    if (writer === undefined) return;
    this.#copies.set(entry, copy);
    const descent: Descent = { key, tags: head.tags, copy, writer };
    this.#descents.add(descent);
    this.#waiting += size;
    const running = this.#write(entry, descent, writer).finally(() => {
      this.#waiting -= size;
      this.#descents.delete(descent);
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  async #write(
    entry: StoredEntry,
    descent: Descent,
    writer: StoreWriter,
  ): Promise<void> {
    const body = entry.open(0, entry.size);
    while (!body.last) {
      // All of it is in memory.
      body.advance();
      const taken = writer.append(body.bytes.subarray(body.start, body.end));
      if (!(taken instanceof Promise ? await taken : taken)) {
        return writer.abort();
      }
    }
    if (!descent.copy.cancelled) await writer.commit(entry.head, NO_ENTRIES);
    writer.abort();
  }

  update(
    entry: StoredEntry,
    head: StoredHead,
  ): StoredEntry | Promise<StoredEntry> {
    const far = this.#disk.copyOf(entry);
    const near = far === undefined ? entry : this.#twinOf(entry.key, far);
    const copy = far ?? this.#copies.get(entry);
    let updated: StoredEntry | undefined;
    if (near !== undefined) {
      updated = this.#memory.update(near, head);
      if (copy !== undefined) this.#copies.set(updated, copy);
    }
    if (copy === undefined) return updated!;
    if (this.#disk.isLive(copy)) {
      return updated === undefined
        ? this.#disk.update(entry, head)
        : this.#refresh(updated, copy, head);
    }
    // It is on its way with the old head: that one is of no use any more.
    this.#cancel(copy);
    if (updated === undefined || updated.head !== head) return updated ?? entry;
    this.#copies.delete(updated);
    this.#descend(updated);
    return updated;
  }

  async #refresh(
    updated: StoredEntry,
    copy: DiskCopy,
    head: StoredHead,
  ): Promise<StoredEntry> {
    if (!await this.#disk.refresh(copy, head) && updated.head === head) {
      // An old head must not come back when memory forgets the new one.
      this.#disk.drop(copy);
    }
    return updated;
  }

  remove(entry: StoredEntry): void | Promise<void> {
    const copy = this.#disk.copyOf(entry) ?? this.#copies.get(entry);
    this.#forgetNear(entry);
    if (copy === undefined) return;
    const live = this.#disk.isLive(copy);
    this.#cancel(copy);
    if (live) return this.#disk.settled(entry.key);
  }

  purge(purge: Purge): number | Promise<number> {
    for (const { key, tags, copy, writer } of this.#descents) {
      if (!isPurged(purge, key, tags)) continue;
      copy.cancelled = true;
      writer?.abort();
    }
    const near = this.#memory.purge(purge);
    const far = this.#disk.purge(purge);
    // Most are in both: nobody counts them twice.
    if (typeof far === "number") return Math.max(near, far);
    this.#purges.add(purge);
    return far.then((count) => Math.max(near, count))
      .finally(() => this.#purges.delete(purge));
  }

  /** Memory's, with the disk's beside them. */
  stats(): StoreStats {
    const disk = this.#disk.diskStats();
    return {
      ...this.#memory.stats(),
      disk: { ...disk, skipped: this.#skipped },
    };
  }

  async close(): Promise<void> {
    // What memory alone has is written first.
    await Promise.all(this.#running);
    await this.#disk.close();
  }
}

/** What a writer asks of its store. */
interface TieredHost {
  /** Begins anew on disk. */
  disk(): StoreWriter | undefined;
  commit(
    head: StoredHead,
    replaced: readonly StoredEntry[],
  ): StoredEntry | undefined;
  /** Forgets what is replaced. */
  replace(replaced: readonly StoredEntry[]): void;
}

/** Writes to memory, and to the disk from where memory takes no more. */
class TieredWriter implements StoreWriter {
  readonly #host: TieredHost;
  readonly #near: StoreWriter;
  #far: StoreWriter | undefined;

  /** `onDisk`: it begins there. */
  constructor(first: StoreWriter, onDisk: boolean, host: TieredHost) {
    this.#near = first;
    if (onDisk) this.#far = first;
    this.#host = host;
  }

  get written(): number {
    return (this.#far ?? this.#near).written;
  }

  append(bytes: Uint8Array): boolean | Promise<boolean> {
    if (this.#far !== undefined) return this.#far.append(bytes);
    if (this.#near.append(bytes) === true) return true;
    return this.#goDown(bytes);
  }

  /** Memory takes no more: what it has goes to the disk. */
  async #goDown(bytes: Uint8Array): Promise<boolean> {
    const far = this.#host.disk();
    if (far === undefined) return false;
    const taken = this.#near.read(0, this.#near.written);
    while (!taken.last) {
      taken.advance();
      const piece = taken.bytes.subarray(taken.start, taken.end);
      if (!await far.append(piece)) {
        far.abort();
        return false;
      }
    }
    const took = await far.append(bytes);
    // From here on it is read from there; who reads memory's pieces goes on.
    this.#far = far;
    this.#near.abort();
    return took;
  }

  read(start: number, end: number): BodyReader {
    return (this.#far ?? this.#near).read(start, end);
  }

  commit(
    head: StoredHead,
    replaced: readonly StoredEntry[],
  ): StoredEntry | undefined | Promise<StoredEntry | undefined> {
    if (this.#far === undefined) return this.#host.commit(head, replaced);
    this.#host.replace(replaced);
    return this.#far.commit(head, replaced);
  }

  abort(): void {
    this.#near.abort();
    this.#far?.abort();
  }
}
