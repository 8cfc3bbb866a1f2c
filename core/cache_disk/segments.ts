/**
 * Segments: files of many records each, written from their beginning to their
 * end once, and forgotten whole. By S3-FIFO the oldest of the small queue goes
 * first; what was of use in it is written anew into one of the main queue.
 *
 * @module
 */
import { type Ghosts, Queue, type Queued, SMALL } from "../cache/s3_fifo.ts";
import type { AppendFile } from "./disk_files.ts";
import type { DiskIndex } from "./disk_index.ts";

/** Segments in a store, about: as many are forgotten one by one. */
const SEGMENTS = 1024;
const LEAST_SEGMENT = 64 << 10;
const MOST_SEGMENT = 32 << 20;

/** Bytes of a segment in a store that may take so many. */
export function segmentBytesOf(capacity: number): number {
  return Math.min(
    MOST_SEGMENT,
    Math.max(LEAST_SEGMENT, Math.floor(capacity / SEGMENTS)),
  );
}

/** Which queue a segment is in. */
export type SegmentKind = "small" | "main";

/** Whose segment it is. */
export interface SegmentOwner {
  /** Has the segment forgotten, but for what was of use. */
  evict(segment: Segment, ghosts: Ghosts): Promise<void>;
}

/** A file of records. */
export class Segment implements Queued {
  readonly owner: SegmentOwner;
  readonly id: number;
  readonly kind: SegmentKind;
  readonly path: string;
  /** Where it stands in its table. */
  number = -1;
  /** Bytes of the file. */
  fileBytes = 0;
  /** Bytes of the file and of bodies that its records name. */
  size = 0;
  /** Slots of its records; some of them may be others' by now. */
  readonly slots: number[] = [];
  /** Records that are found. */
  live = 0;
  /** What writes to it; undefined once it is full. */
  file: AppendFile | undefined;
  /** Its file is removed. */
  gone = false;
  // The queues' own.
  uses = 0;
  queue: Queue<this> | undefined;
  before: this | undefined;
  behind: this | undefined;

  constructor(
    owner: SegmentOwner,
    id: number,
    kind: SegmentKind,
    path: string,
  ) {
    this.owner = owner;
    this.id = id;
    this.kind = kind;
    this.path = path;
  }

  get identity(): number {
    return this.id;
  }

  /** No more is written to it. */
  seal(): void {
    this.file?.close();
    this.file = undefined;
  }
}

/** Slots of the entries that lie in a segment; each may be removed when it is told. */
export function* slotsIn(
  segment: Segment,
  index: DiskIndex,
): Iterable<number> {
  for (const slot of segment.slots) {
    if (index.segment(slot) === segment.number) yield slot;
  }
}

/** All segments of a store. */
export class SegmentTable {
  readonly #table: (Segment | undefined)[] = [];
  readonly #free: number[] = [];
  #small = new Queue<Segment>();
  #main = new Queue<Segment>();
  #lastId = 0;

  /** Bytes of all. */
  get bytes(): number {
    return this.#small.bytes + this.#main.bytes;
  }

  /** A name that no file has had: later ones are higher. */
  nextId(now: number): number {
    this.#lastId = Math.max(this.#lastId + 1, now);
    return this.#lastId;
  }

  /** A name that is in use. */
  knowId(id: number): void {
    if (id > this.#lastId) this.#lastId = id;
  }

  /** The segment of a number; undefined where it is gone. */
  of(number: number): Segment | undefined {
    return this.#table[number];
  }

  add(segment: Segment): void {
    segment.number = this.#free.pop() ?? this.#table.length;
    this.#table[segment.number] = segment;
    (segment.kind === "small" ? this.#small : this.#main).push(segment);
  }

  remove(segment: Segment): void {
    if (this.#table[segment.number] !== segment) return;
    this.#table[segment.number] = undefined;
    this.#free.push(segment.number);
    (segment.queue as Queue<Segment> | undefined)?.remove(segment);
  }

  /** It takes more or less. */
  grow(segment: Segment, bytes: number): void {
    segment.size += bytes;
    const queue = segment.queue as Queue<Segment> | undefined;
    if (queue !== undefined) queue.bytes += bytes;
  }

  /** Puts them in the order that they were made in: shards are read one after the other. */
  sort(): void {
    const all = this.#table
      .filter((segment) => segment !== undefined)
      .sort((a, b) => a.id - b.id);
    this.#small = new Queue();
    this.#main = new Queue();
    for (const segment of all) {
      (segment.kind === "small" ? this.#small : this.#main).push(segment);
    }
  }

  /** The next to forget, with so many bytes in all to be kept; undefined where there is none. */
  oldest(capacity: number): Segment | undefined {
    const small = this.#small.head;
    const main = this.#main.head;
    if (small === undefined) return main;
    return main === undefined || this.#small.bytes > capacity * SMALL
      ? small
      : main;
  }
}
