/**
 * The cache of a data plane over reloads: what is stored stays as long as the
 * config wants as much memory, and the same disk, as before.
 *
 * @module
 */
import { Cache } from "../cache/cache.ts";
import { MemoryStore } from "../cache/memory_store.ts";
import type { CacheStore, Purge } from "../cache/store.ts";
import type { CacheConfig } from "../config/config_cache.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import { SharedCache } from "../shared_cache/shared_cache.ts";
import { CacheDisks, type CacheDisksOptions } from "./cache_disks.ts";
import type { CacheReport } from "./control.ts";

/** Of a worker's memory, what copies of other workers' objects may take. */
const COPIES = 1 / 8;

/** Who hears of other workers. */
export interface CachePeerListener {
  /** Another worker is there, with a port to it, or without where it is gone. */
  heard(worker: number, port: MessagePort | undefined): void;
  /** Forgets what was purged while nobody could be told of it here; whether that is done. Never rejects. */
  purge(purge: Purge): Promise<boolean>;
}

/** The other workers, whose caches are one with this one's. */
export interface CachePeers {
  listen(listener: CachePeerListener): void;
  /** Has another worker that is not there or does not answer forget this as soon as it can. */
  owe(worker: number, purge: Purge): void;
}

/** What a data plane's cache is made of. */
export interface PlaneCacheOptions extends CacheDisksOptions {
  readonly metrics: ProxyMetrics;
  /** Tells of the other workers; undefined = there are none. */
  readonly peers: CachePeers | undefined;
}

/** A cache, what it stores in, and the config that it is for. */
interface Opened {
  readonly cache: Cache;
  readonly store: CacheStore;
  readonly config: CacheConfig;
}

/** A data plane's cache. */
export class PlaneCache {
  readonly #workers: number;
  readonly #disks: CacheDisks;
  readonly #shared: SharedCache | undefined;
  /** The last one that was opened for a candidate. */
  #opened: Opened | undefined;
  /** The one that traffic meets. */
  #current: Opened | undefined;
  /** Evictions of those that it met before. */
  #evictedBefore = 0;

  constructor(options: PlaneCacheOptions) {
    const { metrics, workers, peers } = options;
    this.#workers = workers;
    this.#disks = new CacheDisks(options);
    const stats = () => this.report();
    metrics.cacheEntries.collect(() => stats()?.entries ?? 0);
    metrics.cacheBytes.collect(() => stats()?.bytes ?? 0);
    metrics.cacheEvictions.collect(() =>
      this.#evictedBefore + (stats()?.evicted ?? 0)
    );
    this.#disks.collect(metrics, () => stats()?.disk);
    if (peers === undefined || workers === 1) return;
    const shared = new SharedCache({
      ...options,
      owe: (other, purge) => {
        peers.owe(other, purge);
        return this.#disks.purgeOthers(other, purge);
      },
    });
    this.#shared = shared;
    peers.listen({
      heard(other, port) {
        if (port === undefined) shared.lose(other);
        else shared.connect(other, port);
      },
      purge: (purge) => shared.purgeLate(purge),
    });
    metrics.cacheCopyBytes.collect(() => shared.stats().copyBytes);
    for (const from of ["own", "copy", "owner", "none"] as const) {
      metrics.cacheFinds.collect(() => shared.stats()[from], from);
    }
  }

  /** The cache for a config; the one there is where that fits. */
  open(config: CacheConfig): Cache {
    for (const old of [this.#current, this.#opened]) {
      if (old !== undefined && isSame(old.config, config)) return old.cache;
    }
    // Each worker has its share: together they keep what is said.
    const capacity = Math.max(1, Math.floor(config.memory / this.#workers));
    const copies = this.#shared === undefined
      ? 0
      : Math.floor(capacity * COPIES);
    const memory = new MemoryStore({ capacity: capacity - copies });
    const store = this.#disks.behind(memory, config.disk);
    const cache = this.#shared?.open(store, copies) ?? new Cache(store);
    this.#opened = { cache, store, config };
    return cache;
  }

  /** Traffic meets this one from now on: its disk is used, and no other one's; undefined = none. */
  use(cache: Cache | undefined): void {
    if (this.#current?.cache !== cache) {
      this.#evictedBefore += this.#current?.cache.stats().evicted ?? 0;
      this.#current = this.#opened?.cache === cache ? this.#opened : undefined;
    }
    this.#opened = undefined;
    // The disk first: what was purged before anybody was here is purged there.
    this.#disks.use(this.#current?.store);
    this.#shared?.use(cache);
  }

  /** What there is; undefined where no config wanted a cache so far. */
  report(): CacheReport | undefined {
    const stats = this.#current?.cache.stats();
    const shared = this.#shared?.stats();
    return stats && { ...stats, ...shared !== undefined && { shared } };
  }

  /** Forgets what is meant, in all workers; how many there were. */
  async purge(purge: Purge): Promise<number> {
    return await this.#current?.cache.invalidate(purge) ?? 0;
  }

  /** Leaves the other workers: nobody here waits for them any more. */
  leave(): void {
    this.#shared?.close();
  }

  /** Lets go of the disk. */
  async close(): Promise<void> {
    await this.#disks.close();
  }
}

function isSame(a: CacheConfig, b: CacheConfig): boolean {
  return a.memory === b.memory && a.disk?.path === b.disk?.path &&
    a.disk?.size === b.disk?.size;
}
