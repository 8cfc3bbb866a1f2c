/**
 * Stores on disk for tests: without delays, and with their log.
 *
 * @module
 */
import type { DiskFiles } from "../../core/cache_disk/disk_files.ts";
import {
  DiskStore,
  type DiskStoreOptions,
} from "../../core/cache_disk/disk_store.ts";
import { SHARDS } from "../../core/cache/shard.ts";
import { systemClock } from "../../core/net/clock.ts";
import type { Log } from "../../core/plugin.ts";

/** Every shard. */
export const ALL_SHARDS: readonly number[] = Array.from(
  { length: SHARDS },
  (_, i) => i,
);

/** A log that keeps its lines. */
export function keptLog(lines: string[] = []): Log & { lines: string[] } {
  const line =
    (level: string) =>
    (message: string, fields?: Readonly<Record<string, unknown>>) => {
      const error = fields?.["error"] ?? fields?.["why"] ?? "";
      lines.push(`${level} ${message} ${error}`.trim());
    };
  return {
    lines,
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
  };
}

/** A store in a folder, or on a disk of a test's own, in use. */
export async function openStore(
  where: string | DiskFiles,
  options: Partial<DiskStoreOptions> = {},
): Promise<DiskStore> {
  const store = openUnread(where, options);
  await store.attach();
  return store;
}

/** The same before it is attached. */
export function openUnread(
  where: string | DiskFiles,
  options: Partial<DiskStoreOptions> = {},
): DiskStore {
  return new DiskStore({
    path: typeof where === "string" ? where : "disk",
    capacity: 64 << 20,
    shards: ALL_SHARDS,
    log: keptLog(),
    clock: systemClock,
    delay: 0,
    ...typeof where !== "string" && { files: where },
    ...options,
  });
}
