/**
 * A shard of the store on disk: a folder that one store writes to.
 *
 *     lock          held while the folder is in use
 *     journal       what came and what went, see `journal.ts`
 *     purges        what others wanted gone who could not have the folder, nor
 *                   tell who has it, see `noted_purges.ts`
 *     ID.small      segments of records, see `segments.ts`
 *     ID.main
 *     ID.body       bodies that are too long for a record, see `body_files.ts`
 *
 * Records are written first, then the journal's batch that names them: whatever
 * a killed process leaves, the journal names only what is whole. All that
 * changes the folder goes through one queue, in batches (`shard_writer.ts`).
 *
 * @module
 */
import type { Ghosts } from "../cache/s3_fifo.ts";
import type { Purge } from "../cache/store.ts";
import type { DiskCopy } from "./disk_copy.ts";
import { FORMAT } from "./disk_record.ts";
import { LoadedShard } from "./loaded_shard.ts";
import { NotedPurges } from "./noted_purges.ts";
import type { Put } from "./pending_writes.ts";
import type { Segment, SegmentOwner } from "./segments.ts";
import type { ShardContext } from "./shard_context.ts";
import { evictSegment } from "./shard_eviction.ts";
import { purgeShard } from "./shard_purge.ts";
import { ShardWriter } from "./shard_writer.ts";

/** The folder of the shard of this number, in the store's own. */
export function shardFolder(shard: number): string {
  return shard.toString(16).padStart(2, "0");
}

/** A folder. */
export class Shard implements SegmentOwner {
  readonly folder: string;
  readonly #context: ShardContext;
  readonly #writer: ShardWriter;
  readonly #noted: NotedPurges;
  #ready = false;
  #lock: Disposable | undefined;

  constructor(folder: string, context: ShardContext) {
    this.folder = folder;
    this.#context = context;
    this.#noted = new NotedPurges(context.files, `${folder}/purges`);
    this.#writer = new ShardWriter(context, {
      folder,
      owner: this,
      lost: () => {
        this.#ready = false;
      },
    });
  }

  /** Whether what it holds can be found. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Bytes of the journal. */
  get journalBytes(): number {
    return this.#writer.journal.bytes;
  }

  /**
   * Whether what it writes to is there still: where somebody has removed that,
   * it is given up and can be opened anew. Rejects where that can't be seen.
   */
  async stands(): Promise<boolean> {
    const { files } = this.#context;
    if (await files.size(`${this.folder}/journal`) !== undefined) return true;
    await this.#writer.run(() => this.#writer.throwAway());
    // Nobody else meets the lock of a file that has no name.
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
    return false;
  }

  /** Takes the folder and reads its journal; false where another process has it. Rejects where it can't be used. */
  async open(): Promise<boolean> {
    const { files } = this.#context;
    if (this.#lock === undefined) {
      await files.makeFolder(this.folder);
      this.#lock = await files.lock(`${this.folder}/lock`);
      if (this.#lock === undefined) return false;
    }
    try {
      await this.#load();
      await this.#purgeNoted();
    } catch (thrown) {
      this.#writer.entries.unload();
      this.#writer.journal.close();
      throw thrown;
    }
    this.#ready = true;
    return true;
  }

  async #load(): Promise<void> {
    const { files, segments, thrownAway } = this.#context;
    const { entries, journal } = this.#writer;
    await journal.removeCondemned();
    const found = await files.list(this.folder);
    const loaded = new LoadedShard(this.folder, this, this.#context, found);
    const { kind } = await journal.load(loaded);
    if (kind !== "whole") {
      const why = kind === "foreign"
        ? `its format is not ${FORMAT}`
        : "its journal is damaged";
      thrownAway(this.folder, why);
      loaded.giveUp();
    }
    entries.adopt(loaded);
    // The journal goes first: a file that nothing names is only litter.
    if (journal.isBlank) await journal.remove();
    for (const name of loaded.unused()) {
      await files.remove(`${this.folder}/${name}`);
    }
    await journal.open(loaded.lines);
    segments.sort();
  }

  /** Forgets what those wanted gone who could not have the folder. Rejects where the folder can't hear of it. */
  async #purgeNoted(): Promise<void> {
    const purges = await this.#noted.read();
    if (purges === undefined) return;
    for (const purge of purges) await this.purge(purge);
    await this.flush(true);
    // Thrown away meanwhile: the notes stay, for its journal may still be there.
    if (!this.#writer.journal.isOpen) {
      throw new Error("What others purged could not be written");
    }
    await this.#noted.remove();
  }

  /** Has whoever gets the folder next forget what a purge means; that outlives a loss of power. Rejects where it can't be written. */
  notePurge(purge: Purge): Promise<void> {
    return this.#noted.note(purge);
  }

  /** Has a record written, with others a moment later. */
  put(put: Put): void {
    this.#writer.put(put);
  }

  /** Forgets a copy at once; the folder hears of it a moment later. */
  drop(copy: DiskCopy): void {
    if (copy.isIn(this.#context.index)) this.#writer.drop(copy.slot);
    copy.cancelled = true;
  }

  /** Resolves once all that was asked for so far is in the folder; with `durable` so that it outlives a loss of power. */
  flush(durable = false): Promise<void> {
    return this.#writer.flush(durable);
  }

  /** Forgets what a purge means, and resolves to how many there were once that outlives a loss of power. */
  purge(purge: Purge): number | Promise<number> {
    return purgeShard(purge, this.#writer, this.#context);
  }

  evict(segment: Segment, ghosts: Ghosts): Promise<void> {
    return evictSegment(segment, ghosts, this.#writer, this.#context);
  }

  /** Writes what is still to be written and lets go of the folder. */
  async close(): Promise<void> {
    await this.#writer.close();
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
  }
}
