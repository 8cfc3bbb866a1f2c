/**
 * The cache of a data plane over reloads: what is stored stays as long as the
 * config wants as much memory as before.
 *
 * @module
 */
import { Cache } from "../cache/cache.ts";
import { MemoryStore } from "../cache/memory_store.ts";
import type { Purge } from "../cache/store.ts";
import type { CacheConfig } from "../config/config_later.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import type { CacheReport } from "./control.ts";

/** A data plane's cache. */
export class PlaneCache {
  readonly #workers: number;
  #memory = 0;
  #cache: Cache | undefined;

  readonly #tell: ((purge: Purge) => void) | undefined;

  /** `tell` has the other workers' caches forget the same. */
  constructor(
    metrics: ProxyMetrics,
    workers: number,
    tell: ((purge: Purge) => void) | undefined,
  ) {
    this.#workers = workers;
    this.#tell = workers > 1 ? tell : undefined;
    metrics.cacheEntries.collect(() => this.#cache?.stats().entries ?? 0);
    metrics.cacheBytes.collect(() => this.#cache?.stats().bytes ?? 0);
    metrics.cacheEvictions.collect(() => this.#cache?.stats().evicted ?? 0);
  }

  /** The cache for a config; the one there is where that fits. */
  open({ memory }: CacheConfig): Cache {
    if (this.#cache === undefined || memory !== this.#memory) {
      // Each worker has its share: together they keep what is said.
      const capacity = Math.max(1, Math.floor(memory / this.#workers));
      this.#cache = new Cache(new MemoryStore({ capacity }), this.#tell);
      this.#memory = memory;
    }
    return this.#cache;
  }

  /** What there is; undefined where no config wanted a cache so far. */
  report(): CacheReport | undefined {
    return this.#cache?.stats();
  }

  /** Forgets what is meant; how many there were. */
  async purge(purge: Purge): Promise<number> {
    return await this.#cache?.purge(purge) ?? 0;
  }
}
