/**
 * What of a cache belongs to other workers: each key has one owner, and all
 * that has to happen once for the whole proxy is asked of it.
 *
 * @module
 */
import type { Fetching, FetchResult } from "./cache.ts";
import type { Purge, StoredEntry } from "./store.ts";

/** What a request does that did not find what it wants. */
export interface ClaimRequest {
  readonly key: string;
  /** By what others find the fetch that brings it. */
  readonly variant: string;
  /** Whether it may wait for what another one fetches. */
  readonly joins: boolean;
  /** Whether others may wait for what it fetches. */
  readonly leads: boolean;
  /** Uses of the key before a response is stored. */
  readonly minUses: number;
  /** What it found, as `find` gave it: where that is not current any more it has to look again. */
  readonly entries: readonly StoredEntry[];
  /** The last fill that was offered to it and did not suit; 0 for none. */
  readonly seen: number;
}

/** What it is to do. */
export type Claim =
  /** It asks a backend; `stores` is whether what comes may be stored. */
  | {
    readonly kind: "lead";
    readonly fetch: Fetching;
    readonly stores: boolean;
  }
  /** Another one fetches it already; `leave` ends that, whatever it has come to. */
  | {
    readonly kind: "wait";
    readonly result: Promise<FetchResult>;
    leave(): void;
  }
  /** It looks again. */
  | { readonly kind: "again" };

/** The other workers. Nothing here rejects but `invalidate`: an owner that is gone or fails has nothing, and stores nothing. */
export interface Elsewhere {
  /** Whether this worker is the owner. */
  owns(key: string): boolean;
  /** Asks the owner what to do. Whoever does not want the answer any more lets go of it when it comes. */
  claim(request: ClaimRequest): Promise<Claim>;
  /** See `Cache.beginRefresh`. */
  beginRefresh(key: string, variant: string): Promise<boolean>;
  endRefresh(key: string, variant: string): void;
  /** Forgets what is meant in all workers; how many entries there were. Rejects, once all have tried, where one of them fails. */
  invalidate(purge: Purge): Promise<number>;
}
