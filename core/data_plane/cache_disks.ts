/**
 * The disk behind a data plane's cache: one at a time is in use, that of the
 * current config.
 *
 * @module
 */
import { DiskStore } from "../cache_disk/disk_store.ts";
import type { MemoryStore } from "../cache/memory_store.ts";
import { ownerOf, SHARDS } from "../cache/shard.ts";
import type { CacheStore, Purge, StoreStats } from "../cache/store.ts";
import { TieredStore } from "../cache_disk/tiered_store.ts";
import type { CacheConfig } from "../config/config_cache.ts";
import type { Clock } from "../net/clock.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import type { Log } from "../plugin.ts";

/** Whose disk it is. */
export interface CacheDisksOptions {
  /** Its number among the workers, from 0. */
  readonly worker: number;
  readonly workers: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** A store with a disk that is not necessarily in use. */
interface Opened {
  readonly store: TieredStore;
  readonly disk: DiskStore;
}

/** What counts on over stores. */
type Totals = Pick<
  NonNullable<StoreStats["disk"]>,
  "evicted" | "errors" | "skipped" | "read" | "written"
>;

/** The disks of one data plane's cache. */
export class CacheDisks {
  readonly #options: CacheDisksOptions;
  readonly #opened = new Set<Opened>();
  /** Resolves once all that were in use have let go of their folders. */
  #free: Promise<void> = Promise.resolve();
  /** Of those that are closed. */
  #past: Totals = { evicted: 0, errors: 0, skipped: 0, read: 0, written: 0 };

  constructor(options: CacheDisksOptions) {
    this.#options = options;
  }

  /** The store of a config: memory alone, or with this worker's share of the disk behind it, which is not touched before `use`. */
  behind(memory: MemoryStore, config: CacheConfig["disk"]): CacheStore {
    if (config === undefined) return memory;
    const { worker, clock, log } = this.#options;
    const shards = this.#shardsOf(worker);
    const disk = new DiskStore({
      path: config.path,
      capacity: Math.floor(config.size / SHARDS * shards.length),
      shards,
      clock,
      log,
    });
    const store = new TieredStore(memory, disk);
    this.#opened.add({ store, disk });
    return store;
  }

  #shardsOf(worker: number): number[] {
    const { workers } = this.#options;
    return Array.from({ length: SHARDS }, (_, shard) => shard)
      .filter((shard) => ownerOf(shard, workers) === worker);
  }

  /** Notes a purge in the part of the disk that is another worker's, which can't be told. Never rejects. */
  async purgeOthers(worker: number, purge: Purge): Promise<void> {
    const shards = this.#shardsOf(worker);
    for (const { disk } of this.#opened) await disk.purgeOthers(purge, shards);
  }

  /** Begins to use a store's disk, behind everybody's back, and lets go of all others. */
  use(store: CacheStore | undefined): void {
    for (const opened of this.#opened) {
      if (opened.store === store) continue;
      this.#opened.delete(opened);
      this.#free = this.#close(opened);
    }
    for (const { disk } of this.#opened) void disk.attach(this.#free);
  }

  async #close({ store }: Opened): Promise<void> {
    const before = this.#free;
    await store.close();
    const { disk } = store.stats();
    this.#past = add(this.#past, disk!);
    await before;
  }

  /** Lets go of all. */
  async close(): Promise<void> {
    this.use(undefined);
    await this.#free;
  }

  /** Tells metrics of it. */
  collect(metrics: ProxyMetrics, current: () => StoreStats["disk"]): void {
    metrics.cacheDiskEntries.collect(() => current()?.entries ?? 0);
    metrics.cacheDiskBytes.collect(() => current()?.bytes ?? 0);
    const total = (name: keyof Totals) => () =>
      this.#past[name] + (current()?.[name] ?? 0);
    metrics.cacheDiskEvictions.collect(total("evicted"));
    metrics.cacheDiskErrors.collect(total("errors"));
    metrics.cacheDiskSkipped.collect(total("skipped"));
    metrics.cacheDiskTraffic.collect(total("read"), "read");
    metrics.cacheDiskTraffic.collect(total("written"), "written");
  }
}

function add(a: Totals, b: Totals): Totals {
  return {
    evicted: a.evicted + b.evicted,
    errors: a.errors + b.errors,
    skipped: a.skipped + b.skipped,
    read: a.read + b.read,
    written: a.written + b.written,
  };
}
