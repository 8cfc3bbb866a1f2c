/**
 * What the cache keeps and where: the shape of a stored response, and the
 * interface that every store has.
 *
 * A store knows nothing of HTTP: it keeps entries under keys, several under one
 * key, hands out their bodies as they are and forgets the least useful ones
 * where it is full. What may be stored, served or updated is judged above it.
 *
 * A store in memory answers at once, one on disk or in another worker with a
 * promise: who asks takes either.
 *
 * @module
 */
import type { BodyReader } from "../message/body.ts";

/** A field line. */
export type FieldLine = readonly [name: string, value: string];

/**
 * All that is known of a stored response but its body: plain data, so that it
 * goes to disk or to another worker as it is. Never changed: an update brings
 * a new one.
 */
export interface StoredHead {
  readonly status: number;
  readonly reason: string;
  /** Field lines as the backend sent them and readResponseHeader left them, without those of the connection. */
  readonly fields: readonly FieldLine[];
  /** What separates entries with one key besides Vary: the cluster that answered. */
  readonly scope: string;
  /** The request's fields that Vary names, as `varyingValue` has them, and those that a selectAlternate handler may look at. */
  readonly request: readonly FieldLine[];
  /** When the request was sent and its response came, in milliseconds since the epoch. */
  readonly requestedAt: number;
  readonly receivedAt: number;
  /** The representation's whole length in bytes, undefined while it is not known. */
  readonly length: number | undefined;
  /** The first byte of the representation that is stored: above 0 only for a part. */
  readonly start: number;
  /** Whether all of the representation is there. */
  readonly complete: boolean;
  /** For purges. */
  readonly tags: readonly string[];
  /** Lifetime that a rule gives a response that says none, in milliseconds. */
  readonly ttl: number | undefined;
  /** How long beyond its lifetime a rule lets it be served where it says nothing itself, in milliseconds. */
  readonly stale: number | undefined;
}

/** A stored response. Its body stays readable while somebody reads it, whatever the store forgets. */
export interface StoredEntry {
  readonly key: string;
  readonly head: StoredHead;
  /** Bytes of the body that are stored; what lies at 0 is byte `head.start` of the representation. */
  readonly size: number;
  /**
   * Reads the stored bytes from `start` to before `end`. The pieces are the
   * store's: nobody writes to them, so `headroom` and `tailroom` are 0. Reading
   * rejects with a ProxyError `cache_failed` where the store can't bring them.
   */
  open(start: number, end: number): BodyReader;
}

/** A response on its way into the store. Visible to `find` only once it is committed. */
export interface StoreWriter {
  /** Bytes taken so far. */
  readonly written: number;
  /**
   * Takes bytes, which stay the caller's. False, now or later, where they were
   * not taken: the entry has become too large or the store failed, and nothing
   * of it will be found. What was taken before stays readable until `abort`,
   * also behind a `commit`.
   * Never rejects.
   */
  append(bytes: Uint8Array): boolean | Promise<boolean>;
  /** Reads what was taken, from `start` to before `end`, at most `written`; as {@linkcode StoredEntry.open}. */
  read(start: number, end: number): BodyReader;
  /**
   * Makes it found, in place of `replaced` entries (those not there any more
   * are passed over). `head` is the final one: its length is known now. The
   * entry, undefined where the store failed. Never rejects.
   */
  commit(
    head: StoredHead,
    replaced: readonly StoredEntry[],
  ): StoredEntry | undefined | Promise<StoredEntry | undefined>;
  /**
   * Nobody begins to read it any more: it is forgotten, unless it was committed.
   * Who reads it goes on. Idempotent; to be called in the end, whatever came
   * before.
   */
  abort(): void;
}

/** Which entries are purged. */
export type Purge =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "prefix"; readonly prefix: string }
  | { readonly kind: "tag"; readonly tag: string }
  | { readonly kind: "all" };

/** What a store holds. */
export interface StoreStats {
  /** Entries that can be found. */
  readonly entries: number;
  /** Bytes that it takes, bookkeeping counted. */
  readonly bytes: number;
  /** Bytes that it may take. */
  readonly capacity: number;
  /** Entries forgotten for want of room, since the start. */
  readonly evicted: number;
  /** The disk behind it; left out where there is none. */
  readonly disk?: DiskStats & {
    /** Entries that were not written, as too much waited for the disk. */
    readonly skipped: number;
  };
}

/** What a store on disk holds and did. */
export interface DiskStats extends Omit<StoreStats, "disk"> {
  /** Times that the disk could not be read or written to. */
  readonly errors: number;
  /** Bytes read and written, since the start. */
  readonly read: number;
  readonly written: number;
  /** Parts of it that this process is to use, and those that it does use. */
  readonly shards: number;
  readonly ready: number;
}

/** Keeps responses, within a bound of bytes. */
export interface CacheStore {
  /**
   * The entries under a key, the youngest first; counts as a use of the key
   * only once `used` tells which. Never rejects: what can't be read is not there.
   */
  find(key: string): readonly StoredEntry[] | Promise<readonly StoredEntry[]>;
  /** The entry answered a request: it is worth keeping. */
  used(entry: StoredEntry): void;
  /**
   * Begins to store; `size` is the body's length where it is known. Undefined
   * where the store won't have it: larger than an entry may be, or too much is
   * on its way in already.
   */
  begin(
    key: string,
    head: StoredHead,
    size: number | undefined,
  ): StoreWriter | undefined;
  /** Gives an entry a new head (RFC 9111 §4.3.4); the entry with it. As it was where it is gone meanwhile or the store failed. */
  update(
    entry: StoredEntry,
    head: StoredHead,
  ): StoredEntry | Promise<StoredEntry>;
  /** Forgets an entry. */
  remove(entry: StoredEntry): void | Promise<void>;
  /**
   * Forgets what a purge means; how many there were. A key begins with the URL
   * that it was made of, see `cacheKey`. Responses on their way in are not found
   * here: who runs them asks for himself. Rejects where the store can't forget.
   */
  purge(purge: Purge): number | Promise<number>;
  stats(): StoreStats;
  /** Lets go of what it holds open. */
  close(): void | Promise<void>;
}

/** The least useful answer. */
export const NO_ENTRIES: readonly StoredEntry[] = Object.freeze([]);

/** Whether a purge means an entry of this key and with these tags. */
export function isPurged(
  purge: Purge,
  key: string,
  tags: readonly string[],
): boolean {
  switch (purge.kind) {
    case "url":
      // A rule's key parts stand behind a tab.
      return key === purge.url || key.startsWith(`${purge.url}\t`);
    case "prefix":
      return key.startsWith(purge.prefix);
    case "tag":
      return tags.includes(purge.tag);
    case "all":
      return true;
  }
}
