/**
 * The stored responses that a worker owns, as another worker asks for them.
 *
 * @module
 */
import type { Cache } from "../cache/cache.ts";
import type { StoredEntry } from "../cache/store.ts";
import { ProxyError } from "../errors.ts";
import type { OwnerMemory } from "./owner_memory.ts";
import type { Pins } from "./pins.ts";
import {
  type AskOf,
  type EntryName,
  type Listing,
  markOf,
  MAX_INLINE,
  SMALL_BODY,
  type WireEntry,
} from "./protocol.ts";
import type { SharedStore } from "./shared_store.ts";

/** What stored responses are found by. */
export interface OwnedEntriesParts {
  /** The cache, where a config wants one. */
  readonly cache: () => Cache | undefined;
  /** What is stored here. */
  readonly find: SharedStore["findOwn"];
  readonly memory: () => OwnerMemory;
  readonly pins: Pins;
  /** Resolves when all purges that were asked for so far have begun, or are done; undefined where they have. */
  readonly purged: () => Promise<void> | undefined;
}

/** Those of one worker for one other. */
export class OwnedEntries {
  readonly #parts: OwnedEntriesParts;

  constructor(parts: OwnedEntriesParts) {
    this.#parts = parts;
  }

  /** All of a key, small ones with their bytes. */
  async list({ key }: AskOf<"find">): Promise<Listing> {
    const { find, memory, purged } = this.#parts;
    await purged();
    // Before the look: what changes meanwhile makes the answer an old one.
    const version = memory().versionAt(memory().slotOf(key));
    const entries = await find(key);
    const wire: WireEntry[] = [];
    let room = MAX_INLINE;
    for (const entry of entries) {
      const one = await this.wire(entry, room);
      room -= one?.bytes?.length ?? 0;
      if (one !== undefined) wire.push(one);
    }
    return { entries: wire, version };
  }

  /** One as it crosses, with its bytes where it is small and within `room`; undefined where the store can't bring it. */
  async wire(
    entry: StoredEntry,
    room = MAX_INLINE,
  ): Promise<WireEntry | undefined> {
    const { head, size } = entry;
    if (size <= SMALL_BODY && size <= room) {
      const bytes = await bytesOf(entry);
      return bytes && { head, size, bytes, ref: 0 };
    }
    return { head, size, ref: this.#parts.pins.pin(entry) };
  }

  /** The one of this name, while it is stored. */
  async named({ key, mark }: EntryName): Promise<StoredEntry | undefined> {
    const entries = await this.#parts.find(key);
    return entries.find(({ head }) => markOf(head) === mark);
  }

  /** Those of these names have served. */
  async used(names: readonly EntryName[]): Promise<void> {
    for (const name of names) {
      const entry = await this.named(name);
      if (entry !== undefined) this.#parts.cache()?.store.used(entry);
    }
  }

  /** Gives one another head; as it is then, undefined where it is not stored any more. */
  async update(
    { name, head }: AskOf<"update">,
  ): Promise<WireEntry | undefined> {
    const entry = await this.named(name);
    const store = this.#parts.cache()?.store;
    if (entry === undefined || store === undefined) return undefined;
    const updated = await store.update(entry, head);
    if (updated.head !== head) return undefined;
    return { head, size: updated.size, ref: this.#parts.pins.pin(updated) };
  }

  /** Forgets one. */
  async remove(name: EntryName): Promise<void> {
    const entry = await this.named(name);
    if (entry !== undefined) await this.#parts.cache()?.store.remove(entry);
  }
}

/** All bytes of a small body; undefined where the store can't bring them. */
async function bytesOf(
  entry: StoredEntry,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const all = new Uint8Array(entry.size);
  let at = 0;
  if (entry.size === 0) return all;
  const body = entry.open(0, entry.size);
  try {
    for (;;) {
      if (!body.advance()) await body.next();
      const { bytes, start, end } = body;
      all.set(bytes.subarray(start, end), at);
      at += end - start;
      if (body.last) break;
    }
  } catch (thrown) {
    if (!(thrown instanceof ProxyError)) throw thrown;
    return undefined;
  }
  return at === all.length ? all : undefined;
}
