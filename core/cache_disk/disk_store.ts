/**
 * A store on disk, bounded by bytes: what it holds is found again by the next
 * process, and nothing that is torn is ever given out.
 *
 * What is where: `attachment.ts` (getting at the folder), `disk_shard.ts` (a
 * part of it, and the order of writes), `segments.ts` and `disk_room.ts` (what is
 * forgotten next), `entry_reader.ts` and `entry_writer.ts`, `disk_record.ts`
 * (bytes and their checksums), `journal.ts`, `disk_index.ts`.
 *
 * A record's checksums are verified before `find` gives it, those of a body in
 * a file piece by piece while it is read. Against a killed process nothing is
 * lost but what was written in the last moments; a purge that was answered and
 * met something holds against a loss of power, too.
 *
 * Failures stop nobody: what can't be written is not stored, what can't be read
 * is not there; both are counted, and told of once in a while.
 *
 * @module
 */
import { Ghosts } from "../cache/s3_fifo.ts";
import { SHARDS } from "../cache/shard.ts";
import {
  type CacheStore,
  type DiskStats,
  NO_ENTRIES,
  type Purge,
  type StoredEntry,
  type StoredHead,
  type StoreStats,
  type StoreWriter,
} from "../cache/store.ts";
import { textKey } from "../cache/text_key.ts";
import type { Clock, Log } from "../plugin.ts";
import { Attachment } from "./attachment.ts";
import { DiskCopy } from "./disk_copy.ts";
import { DiskEntry } from "./disk_entry.ts";
import { DiskFailures } from "./disk_failures.ts";
import { type DiskFiles, ReadPool, systemFiles } from "./disk_files.ts";
import { DiskIndex } from "./disk_index.ts";
import { checkOf, hashOf } from "./disk_keys.ts";
import { DiskRoom } from "./disk_room.ts";
import { Shard, shardFolder } from "./disk_shard.ts";
import { EntryReader } from "./entry_reader.ts";
import { EntryWriter } from "./entry_writer.ts";
import { OthersPurges } from "./others_purges.ts";
import { segmentBytesOf, SegmentTable } from "./segments.ts";
import type { ShardContext } from "./shard_context.ts";

/** What a store on disk needs. */
export interface DiskStoreOptions {
  /** The folder; made where it is not there. */
  readonly path: string;
  /** Bytes that it may take. */
  readonly capacity: number;
  /** The shards that are this store's; all others belong to other workers. */
  readonly shards: readonly number[];
  readonly log: Log;
  readonly clock: Pick<Clock, "after" | "now" | "wall">;
  /** How long what is stored waits for more to be written with it, in milliseconds. Default 20. */
  readonly delay?: number;
  /** Milliseconds between two tries to get at what can't be used. Default 1 s. */
  readonly retry?: number;
  /** The folder's files; the system's. */
  readonly files?: DiskFiles;
}

/** Keeps responses on disk. */
export class DiskStore implements CacheStore {
  readonly #capacity: number;
  readonly #index = new DiskIndex();
  readonly #segments = new SegmentTable();
  readonly #shards = new Map<number, Shard>();
  readonly #context: ShardContext;
  readonly #failures: DiskFailures;
  readonly #room: DiskRoom;
  readonly #attachment: Attachment;
  readonly #others: OthersPurges;
  readonly #reader: EntryReader;
  readonly #writer: EntryWriter;
  #evicted = 0;
  #closed = false;
  /** What goes on that nobody waits for. */
  readonly #late = new Set<Promise<void>>();

  constructor(options: DiskStoreOptions) {
    const { capacity, path, clock, log, retry = 1_000 } = options;
    this.#capacity = capacity;
    this.#failures = new DiskFailures({ path, log, clock });
    this.#context = this.#contextFor(options);
    for (const number of options.shards) {
      this.#shards.set(number, new Shard(shardFolder(number), this.#context));
    }
    const shards = [...this.#shards.values()];
    const ghosts = new Ghosts(capacity);
    this.#room = new DiskRoom({
      capacity,
      segments: this.#segments,
      ghosts,
      journals: () =>
        shards.reduce((sum, { journalBytes }) => sum + journalBytes, 0),
    });
    this.#attachment = new Attachment({
      path,
      shards,
      log,
      clock,
      retry,
      entries: () => this.#index.size,
      opened: () => this.#room.make(),
      complain: (what, error) => this.#complain(what, error),
    });
    this.#others = new OthersPurges(this.#context.files);
    const drop = (copy: DiskCopy) => this.drop(copy);
    this.#reader = new EntryReader(this.#context, drop);
    this.#writer = new EntryWriter({
      context: this.#context,
      room: this.#room,
      ghosts,
      reader: this.#reader,
      shardOf: (hash) => this.#shardOf(hash),
      mayWrite: () => !this.#closed && this.#failures.mayWrite,
      drop,
    });
  }

  #contextFor(options: DiskStoreOptions): ShardContext {
    const { capacity, path, clock, delay = 20, log } = options;
    const files = options.files ?? systemFiles(path);
    return {
      files,
      pool: new ReadPool(files),
      index: this.#index,
      segments: this.#segments,
      bodies: new Map(),
      traffic: { read: 0, written: 0 },
      segmentBytes: segmentBytesOf(capacity),
      delay,
      doomed: new Set(),
      wall: () => clock.wall(),
      now: () => clock.now(),
      outlives: (work) => {
        this.#late.add(work);
        work.finally(() => this.#late.delete(work));
      },
      after: (milliseconds, callback) => clock.after(milliseconds, callback),
      failed: (error) => this.#complain("remove", error),
      complain: (what, error) => this.#complain(what, error),
      thrownAway: (folder, why) =>
        log.warn("What the cache had on disk is thrown away", {
          path,
          folder,
          why,
        }),
      stored: () => this.#room.make(),
      evicted: (count) => {
        this.#evicted += count;
      },
    };
  }

  #complain(what: string, error?: unknown): void {
    this.#failures.add(what, error);
    // A shard that was given up is tried again.
    if (what !== "read") this.#attachment.retryLater();
  }

  /**
   * Begins to use the folder: reads what is there, shard by shard; resolves
   * once all are read that can be had. What another process has is tried again
   * until it lets go; until then nothing of it is found and nothing stored.
   * Waits first for `free`, where somebody in this process has the folder.
   */
  attach(free?: Promise<void>): Promise<void> {
    return this.#attachment.attach(free);
  }

  #shardOf(hash: number): Shard | undefined {
    return this.#shards.get(hash % SHARDS);
  }

  // ------------------------------------------------------------------- finding

  find(key: string): readonly StoredEntry[] | Promise<readonly StoredEntry[]> {
    const hash = hashOf(key);
    if (this.#shardOf(hash)?.ready !== true) return NO_ENTRIES;
    const copies = this.#reader.copiesOf(hash, checkOf(key));
    return copies.length === 0 ? NO_ENTRIES : this.#reader.readAll(key, copies);
  }

  /** How many entries `find` may give. */
  count(key: string): number {
    const hash = hashOf(key);
    return this.#shardOf(hash)?.ready === true
      ? this.#index.count(hash, checkOf(key))
      : 0;
  }

  // -------------------------------------------------------------------- copies

  /** Whether a copy is on disk and found there. */
  isLive(copy: DiskCopy): boolean {
    return copy.isIn(this.#index);
  }

  /** The copy of an entry of this store. */
  copyOf(entry: StoredEntry): DiskCopy | undefined {
    return entry instanceof DiskEntry ? entry.copy : undefined;
  }

  /** The body of an entry of this store where that is at hand. */
  bodyAtHand(entry: StoredEntry): Uint8Array | undefined {
    return entry instanceof DiskEntry && entry.body instanceof Uint8Array
      ? entry.body
      : undefined;
  }

  /** A copy answered a request. */
  use(copy: DiskCopy): void {
    if (this.isLive(copy)) this.#index.use(copy.slot);
  }

  /** Forgets a copy, also one on its way. */
  drop(copy: DiskCopy): void {
    if (this.isLive(copy)) {
      this.#shardOf(this.#index.hash(copy.slot))!.drop(copy);
    }
    copy.cancelled = true;
  }

  /** Resolves once what was done to a key is in its folder. */
  settled(key: string): Promise<void> {
    const shard = this.#shardOf(hashOf(key));
    return shard?.ready === true ? shard.flush() : Promise.resolve();
  }

  /** Writes a copy anew with another head; false where it is gone or the disk did not take that. */
  refresh(copy: DiskCopy, head: StoredHead): Promise<boolean> {
    return this.#writer.refresh(copy, head);
  }

  // ------------------------------------------------------------------ CacheStore

  used(entry: StoredEntry): void {
    if (entry instanceof DiskEntry) this.use(entry.copy);
  }

  begin(
    key: string,
    _head: StoredHead,
    size: number | undefined,
  ): StoreWriter | undefined {
    return this.write(key, new DiskCopy(), size);
  }

  /** As `begin`; what is written gets this copy. */
  write(
    key: string,
    copy: DiskCopy,
    size: number | undefined,
  ): StoreWriter | undefined {
    return this.#writer.begin(key, copy, size);
  }

  async update(entry: StoredEntry, head: StoredHead): Promise<StoredEntry> {
    if (!(entry instanceof DiskEntry)) return entry;
    const { copy, body, key } = entry;
    return await this.refresh(copy, head)
      ? this.#reader.entry(key, head, copy, body)
      : entry;
  }

  remove(entry: StoredEntry): void | Promise<void> {
    if (!(entry instanceof DiskEntry) || !this.isLive(entry.copy)) return;
    this.drop(entry.copy);
    return this.settled(entry.key);
  }

  purge(purge: Purge): number | Promise<number> {
    const shards = purge.kind === "url"
      ? [this.#shardOf(textKey(purge.url))]
      : [...this.#shards.values()];
    let count = 0;
    this.#writer.cancel(purge);
    const later: Promise<number>[] = [];
    for (const shard of shards) {
      if (shard === undefined) continue;
      const purged = shard.ready
        ? shard.purge(purge)
        : this.#attachment.purge(shard, purge);
      if (typeof purged === "number") count += purged;
      else later.push(purged);
    }
    if (later.length === 0) return count;
    return Promise.all(later).then((counts) =>
      counts.reduce((sum, one) => sum + one, count)
    );
  }

  /**
   * Has whoever gets these shards next forget what a purge means: they are
   * another worker's, which can't be told. That outlives the process and a loss
   * of power. Never rejects.
   */
  async purgeOthers(purge: Purge, shards: readonly number[]): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#others.note(purge, shards);
    } catch (error) {
      this.#complain("note a purge", error);
    }
  }

  stats(): StoreStats {
    const { entries, bytes, capacity, evicted } = this.diskStats();
    return { entries, bytes, capacity, evicted };
  }

  /** What it holds and did. */
  diskStats(): DiskStats {
    const { read, written } = this.#context.traffic;
    return {
      entries: this.#index.size,
      bytes: this.#room.bytes,
      capacity: this.#capacity,
      evicted: this.#evicted,
      errors: this.#failures.count,
      read,
      written,
      shards: this.#shards.size,
      ready: this.#attachment.ready,
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const evicted = this.#room.close();
    await this.#attachment.close();
    for (const shard of this.#shards.values()) await shard.close();
    await evicted;
    for (const body of this.#context.doomed) body.removeNow();
    await Promise.all(this.#late);
    this.#context.pool.close();
  }
}
