/**
 * The store as one of several workers sees it: its own part, and the others'
 * through their owners.
 *
 * @module
 */
import {
  type CacheStore,
  NO_ENTRIES,
  type Purge,
  type StoredEntry,
  type StoredHead,
  type StoreStats,
  type StoreWriter,
} from "../cache/store.ts";
import type { Asker } from "./asker.ts";
import type { Copies, Found } from "./copies.ts";
import type { OwnerMemory } from "./owner_memory.ts";
import type { EntryName } from "./protocol.ts";
import { RemoteEntry } from "./remote_entry.ts";

/** Entries whose use an owner is told of at once. */
const USES_TOLD = 64;

/** What the store knows of the workers. */
export interface Owners {
  /** This worker's memory. */
  readonly memory: OwnerMemory;
  /** Where lookups were answered, over all stores there were. */
  readonly counts: FindCounts;
  /** Whether this worker owns a key. */
  owns(key: string): boolean;
  /** The owner of another's key; undefined where nobody is there. */
  askerOf(key: string): Asker | undefined;
  /** Resolves when all purges that were asked for so far have begun here; undefined where they have. */
  purged(): Promise<void> | undefined;
}

/** Where lookups were answered. */
export interface FindCounts {
  own: number;
  copy: number;
  owner: number;
  /** By nobody: the owner was not there. */
  none: number;
}

/** The store. */
export class SharedStore implements CacheStore {
  readonly #own: CacheStore;
  readonly copies: Copies;
  readonly #owners: Owners;
  /** What is asked for at this moment: whoever wants the same waits for it. */
  readonly #finding = new Map<string, Promise<Found | undefined>>();
  /** What lists were told with. */
  readonly #versions = new WeakMap<readonly StoredEntry[], number>();
  readonly #used = new Map<Asker, EntryName[]>();

  constructor(own: CacheStore, copies: Copies, owners: Owners) {
    this.#own = own;
    this.copies = copies;
    this.#owners = owners;
  }

  find(key: string): readonly StoredEntry[] | Promise<readonly StoredEntry[]> {
    const { counts } = this.#owners;
    // First: it costs no hash of the key, and is of others' keys only.
    const copy = this.copies.get(key);
    if (copy !== undefined) {
      counts.copy++;
      return copy.entries;
    }
    if (this.#owners.owns(key)) {
      counts.own++;
      const waits = this.#owners.purged();
      return waits === undefined
        ? this.#own.find(key)
        : waits.then(() => this.#own.find(key));
    }
    const asker = this.#owners.askerOf(key);
    if (asker?.memory === undefined) {
      counts.none++;
      return NO_ENTRIES;
    }
    counts.owner++;
    return this.#ask(key, asker, asker.memory);
  }

  /** What is stored here, for another worker that has waited for purges. */
  findOwn(
    key: string,
  ): readonly StoredEntry[] | Promise<readonly StoredEntry[]> {
    return this.#own.find(key);
  }

  async #ask(
    key: string,
    asker: Asker,
    memory: OwnerMemory,
  ): Promise<readonly StoredEntry[]> {
    const slot = memory.slotOf(key);
    const other = this.#finding.get(key);
    if (other !== undefined) {
      const found = await other;
      if (found === undefined) return NO_ENTRIES;
      // It was asked for before: what was forgotten meanwhile must not come from it.
      if (found.version === memory.versionAt(slot)) return found.entries;
    }
    const finding = this.#askOwner(key, asker);
    this.#finding.set(key, finding);
    const found = await finding;
    if (this.#finding.get(key) === finding) this.#finding.delete(key);
    if (found === undefined) return NO_ENTRIES;
    if (
      found.entries.length > 0 && found.version === memory.versionAt(slot) &&
      found.entries.every(({ bytes }) => bytes !== undefined)
    ) this.copies.add(key, found, asker, slot);
    return found.entries;
  }

  async #askOwner(key: string, asker: Asker): Promise<Found | undefined> {
    const listing = await asker.ask("find", { key });
    if (listing === undefined) return undefined;
    const entries = listing.entries.map((entry) =>
      new RemoteEntry(key, entry, entry.bytes, asker)
    );
    this.#versions.set(entries, listing.version);
    return { entries, version: listing.version };
  }

  /** The version that another's entries were told with. */
  versionOf(entries: readonly StoredEntry[]): number | undefined {
    return this.#versions.get(entries);
  }

  used(entry: StoredEntry): void {
    if (!(entry instanceof RemoteEntry)) return this.#own.used(entry);
    this.copies.used(entry.key);
    // The first ones tell most: the owner hears of each doubling.
    const uses = ++entry.uses;
    if ((uses & (uses - 1)) !== 0) return;
    const names = this.#used.get(entry.owner);
    if (names === undefined) this.#used.set(entry.owner, [entry.name]);
    else if (names.push(entry.name) >= USES_TOLD) this.#tellUsed(entry.owner);
  }

  #tellUsed(owner: Asker): void {
    const names = this.#used.get(owner);
    this.#used.delete(owner);
    if (names !== undefined) owner.say({ ask: "used", names });
  }

  /** Tells owners of what was used of theirs. */
  tellUsed(): void {
    for (const owner of this.#used.keys()) this.#tellUsed(owner);
  }

  begin(
    key: string,
    head: StoredHead,
    size: number | undefined,
  ): StoreWriter | undefined {
    // What is another's goes there by its fetch.
    if (!this.#owners.owns(key)) return undefined;
    const writer = this.#own.begin(key, head, size);
    return writer && new OwnWriter(writer, () => this.#changed(key));
  }

  #changed(key: string): void {
    const { memory } = this.#owners;
    memory.change(memory.slotOf(key));
  }

  update(
    entry: StoredEntry,
    head: StoredHead,
  ): StoredEntry | Promise<StoredEntry> {
    if (entry instanceof RemoteEntry) return updateRemote(entry, head);
    const updated = this.#own.update(entry, head);
    return then(updated, () => this.#changed(entry.key));
  }

  remove(entry: StoredEntry): void | Promise<void> {
    if (entry instanceof RemoteEntry) {
      const { name, owner } = entry;
      return owner.ask("remove", { name });
    }
    return then(this.#own.remove(entry), () => this.#changed(entry.key));
  }

  purge(purge: Purge): number | Promise<number> {
    const { memory } = this.#owners;
    return then(this.#own.purge(purge), () => {
      if (purge.kind === "url") memory.change(memory.slotOf(purge.url));
      // Of what is copied elsewhere some is forgotten here: it is not known what.
      else memory.changeAll();
    });
  }

  stats(): StoreStats {
    const stats = this.#own.stats();
    return { ...stats, capacity: stats.capacity + this.copies.capacity };
  }

  close(): void | Promise<void> {
    return this.#own.close();
  }
}

/** Has what follows a change done before anybody hears of the change. */
function then<T>(value: T | Promise<T>, after: () => void): T | Promise<T> {
  if (value instanceof Promise) {
    return value.then((later) => {
      after();
      return later;
    });
  }
  after();
  return value;
}

async function updateRemote(
  entry: RemoteEntry,
  head: StoredHead,
): Promise<StoredEntry> {
  const { name, owner, key, bytes } = entry;
  const updated = await owner.ask("update", { name, head });
  return updated === undefined
    ? entry
    : new RemoteEntry(key, { ...updated, head }, bytes, owner);
}

/** A writer whose entry shows in this worker's memory. */
class OwnWriter implements StoreWriter {
  readonly #writer: StoreWriter;
  readonly #changed: () => void;

  constructor(writer: StoreWriter, changed: () => void) {
    this.#writer = writer;
    this.#changed = changed;
  }

  get written() {
    return this.#writer.written;
  }

  append(bytes: Uint8Array) {
    return this.#writer.append(bytes);
  }

  read(start: number, end: number) {
    return this.#writer.read(start, end);
  }

  commit(head: StoredHead, replaced: readonly StoredEntry[]) {
    return then(this.#writer.commit(head, replaced), this.#changed);
  }

  abort() {
    this.#writer.abort();
  }
}
