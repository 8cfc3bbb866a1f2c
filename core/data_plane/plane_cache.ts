/**
 * The cache of a data plane over reloads: what is stored stays as long as the
 * config wants as much memory, and the same disk, as before.
 *
 * @module
 */
import { Cache } from "../cache/cache.ts";
import { MemoryStore } from "../cache/memory_store.ts";
import type { CacheStore, Purge } from "../cache/store.ts";
import type { CacheConfig } from "../config/config_later.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import { CacheDisks, type CacheDisksOptions } from "./cache_disks.ts";
import type { CacheReport } from "./control.ts";

/** What a data plane's cache is made of. */
export interface PlaneCacheOptions extends CacheDisksOptions {
  readonly metrics: ProxyMetrics;
  /** Has the other workers' caches forget the same; undefined = there are none. */
  readonly tell: ((purge: Purge) => void) | undefined;
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
  /** The last one that was opened for a candidate. */
  #opened: Opened | undefined;
  /** The one that traffic meets. */
  #current: Opened | undefined;

  readonly #tell: ((purge: Purge) => void) | undefined;

  constructor(options: PlaneCacheOptions) {
    const { metrics, workers, tell } = options;
    this.#workers = workers;
    this.#tell = workers > 1 ? tell : undefined;
    this.#disks = new CacheDisks(options);
    const stats = () => this.report();
    metrics.cacheEntries.collect(() => stats()?.entries ?? 0);
    metrics.cacheBytes.collect(() => stats()?.bytes ?? 0);
    metrics.cacheEvictions.collect(() => stats()?.evicted ?? 0);
    this.#disks.collect(metrics, () => stats()?.disk);
  }

  /** The cache for a config; the one there is where that fits. */
  open(config: CacheConfig): Cache {
    for (const old of [this.#current, this.#opened]) {
      if (old !== undefined && isSame(old.config, config)) return old.cache;
    }
    // Each worker has its share: together they keep what is said.
    const capacity = Math.max(1, Math.floor(config.memory / this.#workers));
    const memory = new MemoryStore({ capacity });
    const store = this.#disks.behind(memory, config.disk);
    const cache = new Cache(store, this.#tell);
    this.#opened = { cache, store, config };
    return cache;
  }

  /** Traffic meets this one from now on: its disk is used, and no other one's; undefined = none. */
  use(cache: Cache | undefined): void {
    if (this.#current?.cache !== cache) {
      this.#current = this.#opened?.cache === cache ? this.#opened : undefined;
    }
    this.#opened = undefined;
    this.#disks.use(this.#current?.store);
  }

  /** What there is; undefined where no config wanted a cache so far. */
  report(): CacheReport | undefined {
    return this.#current?.cache.stats();
  }

  /** Forgets what is meant; how many there were. */
  async purge(purge: Purge): Promise<number> {
    return await this.#current?.cache.purge(purge) ?? 0;
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
