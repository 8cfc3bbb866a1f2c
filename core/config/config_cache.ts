/**
 * The cache's block of the config. Units as in `config.ts`.
 *
 * @module
 */

/** The cache. */
export interface CacheConfig {
  /** Default true. */
  readonly enabled: boolean;
  /** Bytes in memory, over all workers. Default 256 MiB. */
  readonly memory: number;
  /** A disk behind the memory, which survives a restart; undefined = none. */
  readonly disk: CacheDiskConfig | undefined;
  /** Networks whose clients may purge with PURGE. */
  readonly purgeFrom: readonly string[];
  readonly rules: readonly CacheRuleConfig[];
}

/** The cache's disk. */
export interface CacheDiskConfig {
  /** Its folder, made where it is not there. One process uses it at a time. Relative to the config file's folder. */
  readonly path: string;
  /** Bytes on disk, over all workers; a body takes at most half of a worker's share. */
  readonly size: number;
}

/** What one rule of the cache sets; durations in milliseconds. */
export interface CacheRuleConfig {
  /** Undefined = every request. */
  readonly when: string | undefined;
  /** Lifetime of responses that say none. */
  readonly ttl: number | undefined;
  /** The same for errors. */
  readonly negative: number | undefined;
  /** How long beyond its lifetime a response may be served that says nothing of it. */
  readonly stale: number | undefined;
  /** Requests before a response is stored. Default 1. */
  readonly minUses: number | undefined;
  /** Parts of the key beside scheme, host and path; undefined = the query. */
  readonly key: string | undefined;
  /** Whether the cache is left aside. Default false. */
  readonly bypass: boolean | undefined;
}
