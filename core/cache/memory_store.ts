/**
 * A store in memory, bounded by bytes.
 *
 * @module
 */
import type { BodyReader } from "../message/body.ts";
import { ChunkList } from "./chunk_list.ts";
import { type Queue, type Queued, S3Fifo } from "./s3_fifo.ts";
import { textKey } from "./text_key.ts";
import {
  type CacheStore,
  isPurged,
  NO_ENTRIES,
  type Purge,
  type StoredEntry,
  type StoredHead,
  type StoreStats,
  type StoreWriter,
} from "./store.ts";

/** Bytes that an entry takes beside its text and body: objects, map slots, links (measured with 100,000 entries of 1 byte: 1.0 to 1.2 KiB with 8 lines). */
const OVERHEAD = 600;
/** Bytes of each field line beside its text. */
const LINE_OVERHEAD = 48;

/** Of the capacity, what one entry may take, and what may be on its way in. */
const MAX_ENTRY = 1 / 8;
const MAX_COMING = 1 / 2;

/** Entries under one key: a Vary on something random must not fill the store by one URL. */
const MAX_ALTERNATES = 64;

/** How much it may keep. */
export interface MemoryStoreOptions {
  /** Bytes in all. */
  readonly capacity: number;
  /** Bytes of one entry. Default an eighth of the capacity. */
  readonly maxEntry?: number;
}

class MemoryEntry implements StoredEntry, Queued {
  readonly key: string;
  head: StoredHead;
  readonly chunks: ChunkList;
  /** What it takes, bookkeeping counted. */
  size: number;
  uses = 0;
  queue: Queue<this> | undefined;
  before: this | undefined;
  behind: this | undefined;

  constructor(key: string, head: StoredHead, chunks: ChunkList) {
    this.key = key;
    this.head = head;
    this.chunks = chunks;
    this.size = weigh(key, head, chunks.length);
  }

  get identity(): number {
    return textKey(this.key + identityOf(this.head));
  }

  open(start: number, end: number): BodyReader {
    return this.chunks.read(start, end);
  }
}

/** What tells alternates of one key apart, also after they were forgotten. */
function identityOf({ scope, request, start }: StoredHead): string {
  return `\n${scope}\n${start}\n${request.join("\n")}`;
}

function weigh(key: string, head: StoredHead, length: number): number {
  let bytes = OVERHEAD + 2 * key.length + length;
  for (const lines of [head.fields, head.request]) {
    for (const [name, value] of lines) {
      bytes += LINE_OVERHEAD + name.length + value.length;
    }
  }
  return bytes;
}

/** What `find` gives of it: its size is that of the body. */
class Found implements StoredEntry {
  readonly entry: MemoryEntry;
  /** As it was when it was found: an update changes nothing under who reads it. */
  readonly head: StoredHead;

  constructor(entry: MemoryEntry) {
    this.entry = entry;
    this.head = entry.head;
  }

  get key(): string {
    return this.entry.key;
  }

  get size(): number {
    return this.entry.chunks.length;
  }

  open(start: number, end: number): BodyReader {
    return this.entry.open(start, end);
  }
}

/** Keeps responses in memory. */
export class MemoryStore implements CacheStore {
  readonly #capacity: number;
  readonly #maxEntry: number;
  readonly #queues: S3Fifo<MemoryEntry>;
  /** The youngest first. */
  readonly #byKey = new Map<string, Found[]>();
  readonly #byTag = new Map<string, Set<MemoryEntry>>();
  /** Keys with parts of a rule behind their URL, by it. */
  readonly #byUrl = new Map<string, Set<string>>();
  #entries = 0;
  #evicted = 0;
  /** Bytes on their way in. */
  #coming = 0;

  constructor({ capacity, maxEntry }: MemoryStoreOptions) {
    this.#capacity = capacity;
    this.#maxEntry = maxEntry ?? Math.floor(capacity * MAX_ENTRY);
    this.#queues = new S3Fifo(capacity);
  }

  find(key: string): readonly StoredEntry[] {
    return this.#byKey.get(key) ?? NO_ENTRIES;
  }

  used(entry: StoredEntry): void {
    if (entry instanceof Found) this.#queues.use(entry.entry);
  }

  begin(
    key: string,
    head: StoredHead,
    size: number | undefined,
  ): StoreWriter | undefined {
    const least = weigh(key, head, size ?? 0);
    if (least > this.#maxEntry || !this.#mayCome(least)) return undefined;
    return new MemoryWriter(key, size, {
      most: this.#maxEntry - weigh(key, head, 0),
      take: (bytes) => this.#take(bytes),
      commit: (entry, replaced) => this.#commit(entry, replaced),
    });
  }

  /** Whether so much more may be on its way in. */
  #mayCome(bytes: number): boolean {
    return this.#coming + bytes <= this.#capacity * MAX_COMING;
  }

  /** Makes room for bytes on their way in, or gives them back with less than 0. */
  #take(bytes: number): boolean {
    if (bytes > 0 && !this.#mayCome(bytes)) return false;
    this.#coming += bytes;
    this.#makeRoom();
    return true;
  }

  #makeRoom(): void {
    for (
      let entry = this.#queues.evict(this.#coming);
      entry !== undefined;
      entry = this.#queues.evict(this.#coming)
    ) {
      this.#unlist(entry);
      this.#evicted++;
    }
  }

  #commit(
    entry: MemoryEntry,
    replaced: readonly StoredEntry[],
  ): StoredEntry {
    for (const old of replaced) this.remove(old);
    const found = new Found(entry);
    const others = this.#byKey.get(entry.key);
    if (others === undefined) {
      this.#byKey.set(entry.key, [found]);
      this.#index(entry.key);
    } else {
      if (others.length >= MAX_ALTERNATES) this.remove(others.at(-1)!);
      // Who looks through the old list goes on with it.
      this.#byKey.set(entry.key, [found, ...this.#byKey.get(entry.key)!]);
    }
    this.#entries++;
    this.#tag(entry);
    this.#queues.add(entry);
    this.#makeRoom();
    return found;
  }

  update(found: StoredEntry, head: StoredHead): StoredEntry {
    const entry = this.#listed(found);
    if (entry === undefined) return found;
    this.#untag(entry);
    entry.head = head;
    this.#tag(entry);
    this.#queues.resize(entry, weigh(entry.key, head, entry.chunks.length));
    const updated = new Found(entry);
    const others = this.#byKey.get(entry.key)!;
    this.#byKey.set(entry.key, [
      updated,
      ...others.filter((other) => other.entry !== entry),
    ]);
    this.#makeRoom();
    return updated;
  }

  remove(found: StoredEntry): void {
    const entry = this.#listed(found);
    if (entry === undefined) return;
    this.#queues.remove(entry);
    this.#unlist(entry);
  }

  /** The entry, unless it is gone. */
  #listed(found: StoredEntry): MemoryEntry | undefined {
    return found instanceof Found && found.entry.queue !== undefined
      ? found.entry
      : undefined;
  }

  purge(purge: Purge): number {
    const purged = this.#meant(purge);
    for (const entry of purged) this.remove(entry);
    return purged.length;
  }

  #meant(purge: Purge): StoredEntry[] {
    if (purge.kind === "tag") {
      return Array.from(
        this.#byTag.get(purge.tag) ?? [],
        (entry) => new Found(entry),
      );
    }
    // Each unsafe request asks for a URL: that must not look at every key.
    const keys = purge.kind === "url"
      ? [purge.url, ...this.#byUrl.get(purge.url) ?? []]
      : this.#byKey.keys();
    return Array.from(keys)
      .filter((key) => isPurged(purge, key, []))
      .flatMap((key) => this.#byKey.get(key) ?? []);
  }

  stats(): StoreStats {
    return {
      entries: this.#entries,
      bytes: this.#queues.bytes + this.#coming,
      capacity: this.#capacity,
      evicted: this.#evicted,
    };
  }

  close(): void {
    // Nothing is held open.
  }

  #unlist(entry: MemoryEntry): void {
    this.#untag(entry);
    this.#entries--;
    const rest = this.#byKey.get(entry.key)!.filter((found) =>
      found.entry !== entry
    );
    if (rest.length > 0) {
      this.#byKey.set(entry.key, rest);
      return;
    }
    this.#byKey.delete(entry.key);
    const url = urlOf(entry.key);
    const keys = this.#byUrl.get(url);
    keys?.delete(entry.key);
    if (keys?.size === 0) this.#byUrl.delete(url);
  }

  #index(key: string): void {
    const url = urlOf(key);
    if (url === key) return;
    const keys = this.#byUrl.get(url);
    if (keys === undefined) this.#byUrl.set(url, new Set([key]));
    else keys.add(key);
  }

  #tag(entry: MemoryEntry): void {
    for (const tag of entry.head.tags) {
      const tagged = this.#byTag.get(tag);
      if (tagged === undefined) this.#byTag.set(tag, new Set([entry]));
      else tagged.add(entry);
    }
  }

  #untag(entry: MemoryEntry): void {
    for (const tag of entry.head.tags) {
      const tagged = this.#byTag.get(tag);
      tagged?.delete(entry);
      if (tagged?.size === 0) this.#byTag.delete(tag);
    }
  }
}

/** The URL that a key begins with. */
function urlOf(key: string): string {
  const tab = key.indexOf("\t");
  return tab < 0 ? key : key.slice(0, tab);
}

/** What a writer needs of its store. */
interface WriterStore {
  /** Bytes that the body may have. */
  readonly most: number;
  take(bytes: number): boolean;
  commit(entry: MemoryEntry, replaced: readonly StoredEntry[]): StoredEntry;
}

class MemoryWriter implements StoreWriter {
  readonly #key: string;
  readonly #store: WriterStore;
  readonly #chunks: ChunkList;
  /** Bytes that the store counts as coming. */
  #taken = 0;
  #failed = false;
  #ended = false;

  constructor(key: string, size: number | undefined, store: WriterStore) {
    this.#key = key;
    this.#store = store;
    this.#chunks = new ChunkList(size);
  }

  get written(): number {
    return this.#chunks.length;
  }

  append(bytes: Uint8Array): boolean {
    const { length } = bytes;
    if (
      this.#failed || this.#ended ||
      this.written + length > this.#store.most || !this.#store.take(length)
    ) {
      this.#failed = true;
      return false;
    }
    this.#taken += length;
    this.#chunks.append(bytes);
    return true;
  }

  read(start: number, end: number): BodyReader {
    return this.#chunks.read(start, end);
  }

  commit(
    head: StoredHead,
    replaced: readonly StoredEntry[],
  ): StoredEntry | undefined {
    const failed = this.#failed || this.#ended;
    this.abort();
    if (failed) return undefined;
    this.#chunks.trim();
    const entry = new MemoryEntry(this.#key, head, this.#chunks);
    return this.#store.commit(entry, replaced);
  }

  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#store.take(-this.#taken);
    this.#taken = 0;
  }
}
