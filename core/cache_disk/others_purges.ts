/**
 * Purges for shards of workers that can't be told of them, in their folders'
 * notes: whoever has such a folder next does them, though it be another process.
 *
 * @module
 */
import { SHARDS } from "../cache/shard.ts";
import type { Purge } from "../cache/store.ts";
import { textKey } from "../cache/text_key.ts";
import type { DiskFiles } from "./disk_files.ts";
import { shardFolder } from "./disk_shard.ts";
import { NotedPurges } from "./noted_purges.ts";

/** The notes of others' shards. */
export class OthersPurges {
  readonly #files: DiskFiles;
  readonly #notes = new Map<number, NotedPurges>();

  constructor(files: DiskFiles) {
    this.#files = files;
  }

  /**
   * Notes a purge for those of the shards that it is about. Rejects where one
   * can't be written, with the first reason, once all were tried.
   */
  async note(purge: Purge, shards: readonly number[]): Promise<void> {
    const about = purge.kind === "url"
      ? shards.filter((shard) => shard === textKey(purge.url) % SHARDS)
      : shards;
    const noted = await Promise.allSettled(
      about.map((shard) => this.#noteIn(shard, purge)),
    );
    for (const result of noted) {
      if (result.status === "rejected") throw result.reason;
    }
  }

  async #noteIn(shard: number, purge: Purge): Promise<void> {
    const folder = shardFolder(shard);
    let notes = this.#notes.get(shard);
    if (notes === undefined) {
      notes = new NotedPurges(this.#files, `${folder}/purges`);
      this.#notes.set(shard, notes);
    }
    try {
      await notes.note(purge);
    } catch (thrown) {
      // Where there is no folder nothing was stored.
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
  }
}
