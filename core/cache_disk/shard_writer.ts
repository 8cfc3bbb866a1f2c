/**
 * All that changes a shard's folder, one after the other, in batches: records
 * first, then the journal's batch that names them.
 *
 * @module
 */
import { NONE } from "./disk_index.ts";
import { BatchWriter } from "./journal.ts";
import {
  PendingWrites,
  type Put,
  refuse,
  type TakenWrites,
} from "./pending_writes.ts";
import { SegmentWriter } from "./segment_writer.ts";
import type { Segment, SegmentOwner } from "./segments.ts";
import type { ShardContext } from "./shard_context.ts";
import { type Placed, ShardEntries } from "./shard_entries.ts";
import { ShardJournal } from "./shard_journal.ts";

/** Lines of a journal beyond twice what it needs before it is written anew. */
const SPARE_LINES = 2_000;

/** Whose folder it is. */
export interface ShardWriterOptions {
  readonly folder: string;
  /** Who is asked to evict its segments. */
  readonly owner: SegmentOwner;
  /** The folder's files are let go of: nothing is found there, nothing is stored. */
  readonly lost: () => void;
}

/** Writes to a shard's folder. */
export class ShardWriter {
  readonly entries: ShardEntries;
  readonly journal: ShardJournal;
  readonly pending: PendingWrites;
  readonly #context: ShardContext;
  readonly #options: ShardWriterOptions;
  readonly #segments: SegmentWriter;
  /** What is done to the folder, one after the other. */
  #tail: Promise<void> = Promise.resolve();
  #cancelTimer: (() => void) | undefined;
  #closed = false;
  /** The journal is being told of what went, or was told, or was cut: a loss of power may undo that. */
  #unsynced = false;

  constructor(context: ShardContext, options: ShardWriterOptions) {
    this.#context = context;
    this.#options = options;
    const { folder, owner } = options;
    this.journal = new ShardJournal(`${folder}/journal`, context);
    this.pending = new PendingWrites(context.index);
    this.entries = new ShardEntries(
      context,
      (segment) => void this.run(() => this.#discardEmpty(segment)),
    );
    const { entries } = this;
    this.#segments = new SegmentWriter(context, { folder, owner, entries });
  }

  /** Whether the folder holds all that it is to, and what went from it stays gone after a loss of power. */
  get settled(): boolean {
    return this.pending.settled && !this.#unsynced;
  }

  // ---------------------------------------------------------------- the queue

  /** Has a record written, with others a moment later. */
  put(put: Put): void {
    if (this.#closed) return refuse(put);
    this.pending.put(put);
    this.#flushSoon();
  }

  /** Forgets an entry at once; the folder hears of it a moment later. */
  drop(slot: number): void {
    this.pending.drop(this.entries.dropLine(slot));
    this.entries.remove(slot);
    this.#flushSoon();
  }

  /** Forgets all at once; the folder hears of it with the next batch. */
  clear(): void {
    this.entries.clear();
    this.pending.clear();
  }

  /** Resolves once all that was asked for so far is in the folder; with `durable` so that it outlives a loss of power. */
  flush(durable = false): Promise<void> {
    return this.run(() => this.write(durable));
  }

  #flushSoon(): void {
    if (this.#cancelTimer !== undefined || this.#closed) return;
    if (this.#context.delay === 0) {
      void this.flush();
      return;
    }
    this.#cancelTimer = this.#context.after(this.#context.delay, () => {
      this.#cancelTimer = undefined;
      void this.flush();
    });
  }

  /** Does something after all that was asked for before. Never rejects. */
  run(task: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(task).catch((error) =>
      this.#context.complain("use", error)
    );
    this.#tail = done;
    return done;
  }

  // ---------------------------------------------------------------- in `run`

  /** Writes what waits. Only in `run`, as all below. */
  async write(durable = false): Promise<void> {
    if (!this.journal.isOpen) return this.pending.giveUp();
    const taken = this.pending.take();
    if (this.pending.hasPuts) this.#flushSoon();
    const placed = taken.puts.length === 0
      ? []
      : await this.#segments.write(taken.puts);
    const named = placed.filter(({ put }) => this.pending.isWanted(put));
    const batch = this.#batchOf(named, taken);
    const forgets = taken.clearing || taken.drops.length > 0 ||
      named.some(({ put }) => put.again);
    const written = await this.#writeBatch(batch, forgets, durable);
    this.pending.landed();
    this.#enter(taken.puts, written ? named : []);
    if (this.journal.lines > 2 * this.entries.count + SPARE_LINES) {
      await this.#compact();
    }
  }

  #batchOf(
    named: readonly Placed[],
    { drops, clearing }: TakenWrites,
  ): BatchWriter {
    const batch = new BatchWriter();
    if (clearing) batch.clear();
    for (const { put, segment, offset } of named) {
      batch.put({
        ...put,
        segment: segment.id,
        offset,
        length: put.bytes.length,
      });
      if (put.again) batch.drop(this.entries.dropLine(put.copy.slot));
    }
    for (const drop of drops) batch.drop(drop);
    return batch;
  }

  /** Adds a batch to the journal; false where that failed. */
  async #writeBatch(
    batch: BatchWriter,
    forgets: boolean,
    durable: boolean,
  ): Promise<boolean> {
    this.#unsynced ||= forgets;
    try {
      await this.journal.append(batch, durable);
      if (durable) this.#unsynced = false;
      return true;
    } catch (error) {
      this.#context.complain("write", error);
      // What was to be forgotten must not come back: then all goes.
      const mustHold = forgets || (durable && this.#unsynced);
      if (mustHold || !await this.journal.cutOff()) await this.throwAway();
      else this.#unsynced = true;
      return false;
    }
  }

  /** Has what the journal names found, and tells all who wait. */
  #enter(puts: readonly Put[], named: readonly Placed[]): void {
    const done = new Set<Put>();
    for (const one of named) {
      if (this.pending.isWanted(one.put)) {
        this.entries.enter(one);
        done.add(one.put);
      } else {
        // It was forgotten while the journal learned of it.
        const { segment, offset, put } = one;
        this.pending.drop({ segment: segment.id, offset, hash: put.hash });
        this.#flushSoon();
      }
    }
    for (const put of puts) {
      if (done.has(put)) put.done(true);
      else refuse(put);
    }
    if (done.size > 0) this.#context.stored();
  }

  /** Writes the journal anew, without what is gone. */
  async #compact(): Promise<void> {
    const { entries, journal } = this;
    try {
      const whole = await journal.compact((put) =>
        entries.slotOf(put) !== NONE
      );
      if (!whole) await this.throwAway();
    } catch (error) {
      this.#context.complain("compact", error);
      // Not again at once: the journal still serves.
      journal.lines = 2 * entries.count;
    }
  }

  /** No more is written to a segment. */
  seal(segment: Segment): void {
    this.#segments.seal(segment);
  }

  /** Removes a segment, unless what filled it came with the batch that was being written and is in by now. */
  async #discardEmpty(segment: Segment): Promise<void> {
    if (segment.live === 0) await this.discard(segment);
  }

  /** Removes a segment and what it holds. */
  async discard(segment: Segment): Promise<void> {
    const { files, pool, complain } = this.#context;
    if (segment.gone) return;
    segment.gone = true;
    this.seal(segment);
    pool.forget(segment.path);
    await files.remove(segment.path)
      .catch((error) => complain("remove", error));
    // Found until its file is gone: a purge must meet what a crash might bring back.
    this.entries.removeSegment(segment);
  }

  /** Throws away all that the folder holds; it is opened anew by and by. */
  async throwAway(): Promise<void> {
    const { complain, thrownAway } = this.#context;
    const { folder, lost } = this.#options;
    this.entries.clear();
    this.pending.tellNothing();
    this.#unsynced = false;
    lost();
    thrownAway(folder, "it could not be written to");
    try {
      await this.journal.condemn();
    } catch (error) {
      complain("forget", error);
    }
    for (const segment of [...this.entries.segments.values()]) {
      await this.discard(segment);
    }
  }

  /** Writes what is still to be written and lets go of the files. */
  async close(): Promise<void> {
    this.#cancelTimer?.();
    this.#closed = true;
    // What was forgotten while it was being written is told by the next batch.
    do await this.flush(); while (!this.pending.settled);
    this.#options.lost();
    await this.run(() => {
      this.pending.giveUp();
      for (const segment of this.entries.segments.values()) segment.seal();
      this.journal.close();
      return Promise.resolve();
    });
  }
}
