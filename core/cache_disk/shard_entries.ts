/**
 * A shard's entries in its store's index, and the segments that they lie in.
 *
 * @module
 */
import { bodyFileSize } from "./body_files.ts";
import { NONE } from "./disk_index.ts";
import type { DropLine } from "./journal.ts";
import type { LoadedShard } from "./loaded_shard.ts";
import type { Put } from "./pending_writes.ts";
import { type Segment, slotsIn } from "./segments.ts";
import type { ShardContext } from "./shard_context.ts";

/** A record that is written, and where. */
export interface Placed {
  readonly put: Put;
  readonly segment: Segment;
  readonly offset: number;
}

/** What can be found in a shard. */
export class ShardEntries {
  /** How many. */
  count = 0;
  /** By their names on disk. */
  readonly segments = new Map<number, Segment>();
  readonly #context: ShardContext;
  readonly #emptied: (segment: Segment) => void;

  /** `emptied` is told of a segment that is full and of no use any more. */
  constructor(context: ShardContext, emptied: (segment: Segment) => void) {
    this.#context = context;
    this.#emptied = emptied;
  }

  /** Takes over what a journal told of. */
  adopt(loaded: LoadedShard): void {
    for (const segment of loaded.finish()) {
      this.segments.set(segment.id, segment);
    }
    this.count = loaded.entries;
  }

  /** Lets go of all; the folder keeps it. */
  unload(): void {
    const { index, bodies, segments } = this.#context;
    for (const segment of this.segments.values()) {
      for (const slot of slotsIn(segment, index)) {
        bodies.delete(slot);
        index.remove(slot);
      }
      segments.remove(segment);
    }
    this.segments.clear();
    this.count = 0;
  }

  /** The slot of a record, `NONE` where that is not found any more. */
  slotOf({ segment: id, offset, hash }: DropLine): number {
    const segment = this.segments.get(id);
    return segment === undefined
      ? NONE
      : this.#context.index.at(hash, segment.number, offset);
  }

  /** What the journal is to hear once an entry goes, or lies elsewhere. */
  dropLine(slot: number): DropLine {
    const { index } = this.#context;
    return {
      segment: this.#segmentOf(slot).id,
      offset: index.offset(slot),
      hash: index.hash(slot),
    };
  }

  #segmentOf(slot: number): Segment {
    const { index, segments } = this.#context;
    return segments.of(index.segment(slot))!;
  }

  /** A record can be found from now on. */
  enter({ put, segment, offset }: Placed): void {
    const { index, bodies, segments } = this.#context;
    const { copy, body, hash, check } = put;
    const place = {
      segment: segment.number,
      offset,
      length: put.bytes.length,
    };
    if (put.again) {
      const old = this.#segmentOf(copy.slot);
      old.live--;
      if (body !== undefined) segments.grow(old, -bodyFileSize(body.size));
      index.move(copy.slot, place);
      this.settle(old);
    } else {
      copy.slot = index.add(hash, check, place);
      copy.born = index.born(copy.slot);
      this.count++;
      if (body !== undefined) bodies.set(copy.slot, body);
    }
    segment.slots.push(copy.slot);
    segment.live++;
    if (body !== undefined) segments.grow(segment, bodyFileSize(body.size));
  }

  /** Forgets an entry. */
  remove(slot: number): void {
    const segment = this.#segmentOf(slot);
    this.#forget(slot, segment);
    this.settle(segment);
  }

  #forget(slot: number, segment: Segment): void {
    const { index, bodies, segments } = this.#context;
    const body = bodies.get(slot);
    if (body !== undefined) {
      bodies.delete(slot);
      segments.grow(segment, -bodyFileSize(body.size));
      body.discard();
    }
    segment.live--;
    this.count--;
    index.remove(slot);
  }

  /** Tells of a segment that nothing is in and nothing comes to. */
  settle(segment: Segment): void {
    const { live, file, gone } = segment;
    if (live === 0 && file === undefined && !gone) this.#emptied(segment);
  }

  /** Forgets all entries; the segments stay. */
  clear(): void {
    for (const segment of this.segments.values()) {
      this.#forgetIn(segment);
      segment.slots.length = 0;
    }
  }

  #forgetIn(segment: Segment): void {
    for (const slot of slotsIn(segment, this.#context.index)) {
      this.#forget(slot, segment);
    }
  }

  /** Forgets a segment and all that is in it. */
  removeSegment(segment: Segment): void {
    this.#forgetIn(segment);
    this.#context.segments.remove(segment);
    this.segments.delete(segment.id);
  }
}
