/**
 * A store on disk, bounded by bytes: what it holds is found again by the next
 * process, and nothing that is torn is ever given out.
 *
 * What is where: `disk_shard.ts` (folders, and the order of writes),
 * `segments.ts` (what is forgotten next), `disk_record.ts` (bytes and their
 * checksums), `journal.ts`, `disk_index.ts`.
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
  isPurged,
  NO_ENTRIES,
  type Purge,
  type StoredEntry,
  type StoredHead,
  type StoreStats,
  type StoreWriter,
} from "../cache/store.ts";
import { textKey } from "../cache/text_key.ts";
import type { BodyReader } from "../message/body.ts";
import type { Clock, Log } from "../plugin.ts";
import {
  BodyFile,
  bodyFileSize,
  BodyFileWriter,
  PieceReader,
  sourceOfBody,
} from "./body_files.ts";
import { type DiskFiles, ReadPool, systemFiles } from "./disk_files.ts";
import { DiskIndex, NONE } from "./disk_index.ts";
import { decodeRecord, encodeRecord } from "./disk_record.ts";
import { DiskCopy } from "./disk_copy.ts";
import { Shard } from "./disk_shard.ts";
import type { ShardContext } from "./shard_context.ts";
import { diskSize, DiskWriter } from "./disk_writer.ts";
import { SegmentTable } from "./segments.ts";

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

/** Of the capacity, what one body may take, and what may be on its way in. */
const MAX_ENTRY = 1 / 2;
const MAX_COMING = 1 / 2;

/** Segments in a store: as many are forgotten one by one. */
const SEGMENTS = 1024;
const LEAST_SEGMENT = 64 << 10;
const MOST_SEGMENT = 32 << 20;

/** Entries under one key. */
const MAX_ALTERNATES = 64;

/** Milliseconds that nothing is written after the disk did not take something. */
const PAUSE = 10_000;
/** Milliseconds between two lines about what went wrong. */
const QUIET = 60_000;

/** Purges that are kept for a shard that can't be had yet; with more of them all of it goes. */
const MAX_KEPT_PURGES = 1_000;

/** A body whose last bytes are being written, before its record. */
interface Finishing {
  readonly key: string;
  readonly tags: readonly string[];
  readonly copy: DiskCopy;
}

/** What is stored of one response, as `find` gives it. */
class DiskEntry implements StoredEntry {
  readonly key: string;
  readonly head: StoredHead;
  readonly copy: DiskCopy;
  /** The body, or its file. */
  readonly body: Uint8Array | BodyFile;
  readonly #bad: (copy: DiskCopy) => void;

  constructor(
    key: string,
    head: StoredHead,
    copy: DiskCopy,
    body: Uint8Array | BodyFile,
    bad: (copy: DiskCopy) => void,
  ) {
    this.key = key;
    this.head = head;
    this.copy = copy;
    this.body = body;
    this.#bad = bad;
    if (body instanceof BodyFile) body.found();
  }

  get size(): number {
    return this.body instanceof BodyFile ? this.body.size : this.body.length;
  }

  open(start: number, end: number): BodyReader {
    const { body } = this;
    if (body instanceof BodyFile) {
      const source = sourceOfBody(body, () => this.#bad(this.copy));
      return new PieceReader(source, start, Math.min(end, body.size));
    }
    return new InlineReader(body.subarray(start, end));
  }
}

/** Reads what is at hand in one piece. */
class InlineReader implements BodyReader {
  readonly bytes: Uint8Array;
  readonly start = 0;
  end = 0;
  last = false;
  readonly headroom = 0;
  readonly tailroom = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  advance(): boolean {
    this.end = this.last ? 0 : this.bytes.length;
    this.last = true;
    return true;
  }

  next(): Promise<boolean> {
    return Promise.resolve(!this.last && this.advance() && this.end > 0);
  }

  cancel(): void {
    this.last = true;
  }
}

/** Keeps responses on disk. */
export class DiskStore implements CacheStore {
  readonly #options: DiskStoreOptions;
  readonly #capacity: number;
  readonly #index = new DiskIndex();
  readonly #segments = new SegmentTable();
  readonly #bodies = new Map<number, BodyFile>();
  readonly #ghosts: Ghosts;
  readonly #shards = new Map<number, Shard>();
  /** Shards that are being read; false where another process has one. */
  readonly #opening = new Map<Shard, Promise<boolean>>();
  /** Purges for shards that can neither be read nor written to. */
  readonly #early = new Map<Shard, Purge[]>();
  readonly #context: ShardContext;
  readonly #traffic = { read: 0, written: 0 };
  #errors = 0;
  #evicted = 0;
  /** Bytes on their way in. */
  #coming = 0;
  #making = false;
  /** Until when nothing is written, by the clock. */
  #pausedUntil = 0;
  #complained = -Infinity;
  #waiting = false;
  /** A shard was tried and can't be had for now. */
  #held = false;
  #attached: Promise<void> | undefined;
  #free: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  #closed = false;
  /** Evictions under way. */
  #room: Promise<void> = Promise.resolve();
  readonly #late = new Set<Promise<void>>();
  readonly #finishing = new Set<Finishing>();

  constructor(options: DiskStoreOptions) {
    const { capacity, path, clock, delay = 20, log } = options;
    this.#options = options;
    this.#capacity = capacity;
    this.#ghosts = new Ghosts(capacity);
    const files = options.files ?? systemFiles(path);
    this.#context = {
      files,
      pool: new ReadPool(files),
      index: this.#index,
      segments: this.#segments,
      bodies: this.#bodies,
      traffic: this.#traffic,
      segmentBytes: Math.min(
        MOST_SEGMENT,
        Math.max(LEAST_SEGMENT, Math.floor(capacity / SEGMENTS)),
      ),
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
      stored: () => this.#makeRoom(),
      evicted: (count) => {
        this.#evicted += count;
      },
    };
    for (const number of options.shards) {
      const name = number.toString(16).padStart(2, "0");
      const shard = new Shard(name, this.#context);
      this.#shards.set(number, shard);
      this.#early.set(shard, []);
    }
  }

  // ---------------------------------------------------------------- attaching

  /**
   * Begins to use the folder: reads what is there, shard by shard; resolves
   * once all are read that can be had. What another process has is tried again
   * until it lets go; until then nothing of it is found and nothing stored.
   * Waits first for `free`, where somebody in this process has the folder.
   */
  attach(free?: Promise<void>): Promise<void> {
    this.#attached ??= this.#attach(free);
    return this.#attached;
  }

  async #attach(free: Promise<void> | undefined): Promise<void> {
    this.#free = free;
    await free;
    await this.#openShards();
  }

  async #openShards(): Promise<void> {
    const { path, log } = this.#options;
    const begun = this.#context.now();
    const before = this.diskStats().ready;
    this.#held = false;
    for (const shard of this.#shards.values()) {
      if (this.#closed) return;
      if (shard.ready) continue;
      if (!await this.#open(shard)) break;
    }
    const { ready, shards } = this.diskStats();
    if (ready > before) {
      log.info("The cache on disk is in use", {
        path,
        shards: ready,
        entries: this.#index.size,
        milliseconds: Math.round(this.#context.now() - begun),
      });
      this.#makeRoom();
    }
    if (this.#closed) return;
    if (ready === shards) this.#waiting = false;
    else this.#retryLater();
  }

  /** Reads a shard; false where that can't be had now. Never rejects. */
  #open(shard: Shard): Promise<boolean> {
    if (shard.ready || this.#closed) return Promise.resolve(shard.ready);
    let opening = this.#opening.get(shard);
    if (opening === undefined) {
      opening = this.#tryOpen(shard)
        .finally(() => this.#opening.delete(shard));
      this.#opening.set(shard, opening);
    }
    return opening;
  }

  async #tryOpen(shard: Shard): Promise<boolean> {
    const { path, log } = this.#options;
    try {
      if (await shard.open()) {
        await this.#purgeEarly(shard);
        return true;
      }
      this.#held = true;
      if (!this.#waiting) {
        log.info("Another process has the cache on disk: waiting for it", {
          path,
        });
      }
      this.#waiting = true;
    } catch (error) {
      this.#held = true;
      this.#complain("open", error);
    }
    return false;
  }

  #retryLater(): void {
    if (this.#cancelRetry !== undefined || this.#closed) return;
    const { clock, retry = 1_000 } = this.#options;
    this.#cancelRetry = clock.after(retry, () => {
      this.#cancelRetry = undefined;
      this.#attached = this.#openShards();
    });
  }

  async #purgeEarly(shard: Shard): Promise<void> {
    const purges = this.#early.get(shard)!;
    this.#early.set(shard, []);
    for (const purge of purges) await shard.purge(purge);
  }

  #shardOf(hash: number): Shard | undefined {
    return this.#shards.get(hash % SHARDS);
  }

  // ------------------------------------------------------------------- finding

  find(key: string): readonly StoredEntry[] | Promise<readonly StoredEntry[]> {
    const hash = textKey(urlOf(key));
    if (this.#shardOf(hash)?.ready !== true) return NO_ENTRIES;
    const slots = this.#slotsOf(hash, checkOf(key));
    return slots.length === 0 ? NO_ENTRIES : this.#load(key, slots);
  }

  /** How many entries `find` may give. */
  count(key: string): number {
    const hash = textKey(urlOf(key));
    return this.#shardOf(hash)?.ready === true
      ? this.#index.count(hash, checkOf(key))
      : 0;
  }

  #slotsOf(hash: number, check: number): DiskCopy[] {
    const found: DiskCopy[] = [];
    const index = this.#index;
    for (let at = index.first(hash); at !== NONE; at = index.after(at)) {
      if (index.check(at) === check) {
        found.push(new DiskCopy(at, index.born(at)));
      }
    }
    return found;
  }

  async #load(
    key: string,
    copies: readonly DiskCopy[],
  ): Promise<readonly StoredEntry[]> {
    const entries: DiskEntry[] = [];
    for (const copy of copies) {
      const entry = await this.#read(copy, true);
      if (entry?.key === key) entries.push(entry);
    }
    return entries.sort((a, b) => b.head.receivedAt - a.head.receivedAt);
  }

  /** Reads an entry; undefined where it is gone, or not as it was written. */
  async #read(
    copy: DiskCopy,
    mayHaveMoved: boolean,
  ): Promise<DiskEntry | undefined> {
    const index = this.#index;
    if (!this.isLive(copy)) return undefined;
    const { slot } = copy;
    const segment = this.#segments.of(index.segment(slot))!;
    const offset = index.offset(slot);
    const bytes = new Uint8Array(index.length(slot));
    let count = 0;
    let failure: unknown;
    try {
      const { pool } = this.#context;
      count = await pool.read(segment.path, bytes, offset);
      if (segment.gone) pool.forget(segment.path);
    } catch (error) {
      failure = error;
    }
    this.#traffic.read += count;
    const whole = failure === undefined && count === bytes.length;
    const record = whole ? decodeRecord(bytes, segment.id, offset) : undefined;
    if (!this.isLive(copy)) return undefined;
    if (record !== undefined) {
      const body = record.body === undefined
        ? record.inline
        : this.#bodies.get(slot);
      if (
        body instanceof Uint8Array || await this.#isThere(body, record.body!.id)
      ) {
        if (!this.isLive(copy)) return undefined;
        return new DiskEntry(
          record.key,
          record.head,
          copy,
          body!,
          (bad) => this.#bad(bad),
        );
      }
    }
    const moved = index.segment(slot) !== segment.number ||
      index.offset(slot) !== offset;
    if (moved && mayHaveMoved) return await this.#read(copy, false);
    // Its file is going while it is still listed.
    if (segment.gone) return undefined;
    this.#complain("read", failure ?? new Error("It is not as it was written"));
    this.drop(copy);
    return undefined;
  }

  async #isThere(file: BodyFile | undefined, id: number): Promise<boolean> {
    if (file?.id !== id) return false;
    try {
      const size = await this.#context.files.size(file.path);
      return size === bodyFileSize(file.size);
    } catch {
      // What can't be looked at can't be read: the caller counts it.
      return false;
    }
  }

  #bad(copy: DiskCopy): void {
    this.#complain("read", new Error("A body is not as it was written"));
    this.drop(copy);
  }

  // -------------------------------------------------------------------- copies

  /** Whether a copy is on disk and found there. */
  isLive({ slot, born, cancelled }: DiskCopy): boolean {
    return !cancelled && slot !== NONE && this.#index.holds(slot, born);
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
    const shard = this.#shardOf(textKey(urlOf(key)));
    return shard?.ready === true ? shard.flush() : Promise.resolve();
  }

  /** Writes a copy anew with another head; false where it is gone or the disk did not take that. */
  async refresh(copy: DiskCopy, head: StoredHead): Promise<boolean> {
    const entry = await this.#read(copy, true);
    if (entry === undefined || !this.#mayWrite()) return false;
    const { key, body } = entry;
    const hash = textKey(urlOf(key));
    const shard = this.#shardOf(hash)!;
    const inFile = body instanceof BodyFile;
    const { bytes, inline } = encodeRecord(
      key,
      head,
      inFile ? body : body.length,
    );
    if (!inFile) inline.set(body);
    const stored = new Promise<boolean>((done) =>
      shard.put({
        key,
        tags: head.tags,
        hash,
        check: checkOf(key),
        bytes,
        body: inFile ? body : undefined,
        kind: this.#segments.of(this.#index.segment(copy.slot))!.kind,
        again: true,
        copy,
        done,
      })
    );
    void shard.flush();
    return await stored;
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
    const hash = textKey(urlOf(key));
    const shard = this.#shardOf(hash);
    if (shard?.ready !== true || !this.#mayWrite()) return undefined;
    const most = Math.floor(this.#capacity * MAX_ENTRY);
    if (size !== undefined && diskSize(size) > most) return undefined;
    if (!this.#mayCome(size ?? 0)) return undefined;
    let finishing: Finishing | undefined;
    return new DiskWriter({
      most,
      newBody: () => {
        const id = this.#segments.nextId(this.#context.wall());
        return new BodyFileWriter(
          this.#context,
          `${shard.folder}/${id}.body`,
          id,
        );
      },
      take: (bytes) => this.#take(bytes),
      failed: (error) => this.#complain("write", error),
      finishing: ({ tags }) => {
        finishing = { key, tags, copy };
        this.#finishing.add(finishing);
      },
      commit: (head, body, replaced, written) =>
        this.#commit(key, hash, shard, copy, head, body, replaced)
          .finally(() => {
            if (finishing !== undefined) this.#finishing.delete(finishing);
            written();
          }),
    }, size);
  }

  /** Whether the disk took what it got lately. */
  #mayWrite(): boolean {
    return !this.#closed && this.#context.now() >= this.#pausedUntil;
  }

  #mayCome(bytes: number): boolean {
    return this.#coming + bytes <= this.#capacity * MAX_COMING;
  }

  #take(bytes: number): boolean {
    if (bytes > 0 && !this.#mayCome(bytes)) return false;
    this.#coming += bytes;
    if (bytes > 0) this.#makeRoom();
    return true;
  }

  async #commit(
    key: string,
    hash: number,
    shard: Shard,
    copy: DiskCopy,
    head: StoredHead,
    body: Uint8Array | BodyFile,
    replaced: readonly StoredEntry[],
  ): Promise<StoredEntry | undefined> {
    for (const old of replaced) {
      if (old instanceof DiskEntry) this.drop(old.copy);
    }
    const check = checkOf(key);
    const others = this.#slotsOf(hash, check);
    // The first of the chain came last.
    for (const old of others.slice(MAX_ALTERNATES - 1)) this.drop(old);
    const inFile = body instanceof BodyFile;
    const { bytes, inline } = encodeRecord(
      key,
      head,
      inFile ? body : body.length,
    );
    if (!inFile) inline.set(body);
    const stored = await new Promise<boolean>((done) =>
      shard.put({
        key,
        tags: head.tags,
        hash,
        check,
        bytes,
        body: inFile ? body : undefined,
        kind: this.#ghosts.take(hash) ? "main" : "small",
        again: false,
        copy,
        done,
      })
    );
    if (!stored) return undefined;
    return new DiskEntry(key, head, copy, body, (bad) => this.#bad(bad));
  }

  async update(entry: StoredEntry, head: StoredHead): Promise<StoredEntry> {
    if (!(entry instanceof DiskEntry)) return entry;
    const { copy, body, key } = entry;
    return await this.refresh(copy, head)
      ? new DiskEntry(key, head, copy, body, (bad) => this.#bad(bad))
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
    for (const { key, tags, copy } of this.#finishing) {
      if (isPurged(purge, key, tags)) copy.cancelled = true;
    }
    const later: Promise<number>[] = [];
    for (const shard of shards) {
      if (shard === undefined) continue;
      const purged = shard.ready
        ? shard.purge(purge)
        : this.#purgeUnread(shard, purge);
      if (typeof purged === "number") count += purged;
      else later.push(purged);
    }
    if (later.length === 0) return count;
    return Promise.all(later).then((counts) =>
      counts.reduce((sum, one) => sum + one, count)
    );
  }

  /** Reads the shard first, or has whoever reads it next forget what is meant. */
  async #purgeUnread(shard: Shard, purge: Purge): Promise<number> {
    if (this.#closed) return 0;
    await this.#free;
    if (!this.#held && await this.#open(shard)) return await shard.purge(purge);
    try {
      await shard.notePurge(purge);
    } catch (error) {
      this.#complain("note a purge", error);
      this.#keepPurge(shard, purge);
    }
    return 0;
  }

  #keepPurge(shard: Shard, purge: Purge): void {
    const kept = this.#early.get(shard)!;
    if (kept.length >= MAX_KEPT_PURGES) {
      this.#early.set(shard, [{ kind: "all" }]);
    } else kept.push(purge);
  }

  stats(): StoreStats {
    const { entries, bytes, capacity, evicted } = this.diskStats();
    return { entries, bytes, capacity, evicted };
  }

  /** What it holds and did. */
  diskStats(): DiskStats {
    let ready = 0;
    let journals = 0;
    for (const shard of this.#shards.values()) {
      if (shard.ready) ready++;
      journals += shard.journalBytes;
    }
    return {
      entries: this.#index.size,
      bytes: this.#segments.bytes + journals + this.#coming,
      capacity: this.#capacity,
      evicted: this.#evicted,
      errors: this.#errors,
      read: this.#traffic.read,
      written: this.#traffic.written,
      shards: this.#shards.size,
      ready,
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelRetry?.();
    await this.#attached;
    await Promise.all(this.#opening.values());
    for (const shard of this.#shards.values()) await shard.close();
    await this.#room;
    for (const body of this.#context.doomed) body.removeNow();
    await Promise.all(this.#late);
    this.#context.pool.close();
  }

  // ---------------------------------------------------------------------- room

  /** Forgets what is over the bound. */
  #makeRoom(): void {
    if (this.#making || this.#closed || !this.#isFull()) return;
    this.#making = true;
    this.#room = this.#evictAll().finally(() => {
      this.#making = false;
    });
  }

  #isFull(): boolean {
    return this.diskStats().bytes > this.#capacity;
  }

  async #evictAll(): Promise<void> {
    while (this.#isFull() && !this.#closed) {
      const segment = this.#segments.oldest(this.#capacity);
      if (segment === undefined) return;
      await segment.owner.evict(segment, this.#ghosts);
    }
  }

  #complain(what: string, error?: unknown): void {
    this.#errors++;
    const now = this.#context.now();
    if (what === "write" || what === "open") this.#pausedUntil = now + PAUSE;
    // A shard that was given up is tried again.
    if (what !== "read") this.#retryLater();
    if (now - this.#complained < QUIET) return;
    this.#complained = now;
    const { path, log } = this.#options;
    log.error(`The cache could not ${what} on disk; it goes on without`, {
      path,
      error,
    });
  }
}

/** The URL that a key begins with. */
function urlOf(key: string): string {
  const tab = key.indexOf("\t");
  return tab < 0 ? key : key.slice(0, tab);
}

/** What tells keys of one URL apart: nothing for the URL itself. */
function checkOf(key: string): number {
  return key.includes("\t") ? textKey(key) % 2 ** 32 : 0;
}
