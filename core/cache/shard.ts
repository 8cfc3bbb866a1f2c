/**
 * Which part of the cache a key belongs to. Each part has one owner among the
 * workers and one folder on disk, so that no two of them ever write to the same.
 *
 * @module
 */
import { textKey } from "./text_key.ts";

/** How many parts there are: fixed, as folders on disk outlive a change of `workers`. */
export const SHARDS = 64;

/**
 * The part, 0 to 63. All keys of a URL are in one: who forgets a URL, as each
 * unsafe request does, asks one owner only.
 */
export function shardOf(key: string): number {
  const tab = key.indexOf("\t");
  return textKey(tab < 0 ? key : key.slice(0, tab)) % SHARDS;
}

/** The worker, from 0 on, that owns a part. */
export function ownerOf(shard: number, workers: number): number {
  return shard % workers;
}
