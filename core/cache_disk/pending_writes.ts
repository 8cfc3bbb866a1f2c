/**
 * What waits to be written to a shard's folder: what came, and what the journal
 * is to hear of what went.
 *
 * @module
 */
import { isPurged, type Purge } from "../cache/store.ts";
import type { BodyFile } from "./body_files.ts";
import type { DiskCopy } from "./disk_copy.ts";
import type { DiskIndex } from "./disk_index.ts";
import type { DropLine } from "./journal.ts";
import type { SegmentKind } from "./segments.ts";

/** A record to be written. */
export interface Put {
  readonly key: string;
  readonly tags: readonly string[];
  readonly hash: number;
  readonly check: number;
  /** The record without its place. */
  readonly bytes: Uint8Array;
  readonly body: BodyFile | undefined;
  readonly kind: SegmentKind;
  /** Whether it takes the place of what its copy has written already. */
  readonly again: boolean;
  readonly copy: DiskCopy;
  /** Called once it is found, or never will be. */
  readonly done: (stored: boolean) => void;
}

/** What is written in one go. */
export interface TakenWrites {
  readonly puts: readonly Put[];
  readonly drops: readonly DropLine[];
  /** All that was there before is forgotten. */
  readonly clearing: boolean;
}

/** A record is not stored. */
export function refuse(put: Put): void {
  if (!put.again) put.body?.discard();
  put.done(false);
}

/** What waits, and what is being written. */
export class PendingWrites {
  readonly #index: DiskIndex;
  #puts: Put[] = [];
  /** Those that are being written. */
  #flying: readonly Put[] = [];
  #drops: DropLine[] = [];
  #clearing = false;

  constructor(index: DiskIndex) {
    this.#index = index;
  }

  /** Whether the folder holds all that it is to. */
  get settled(): boolean {
    return this.#puts.length === 0 && this.#flying.length === 0 &&
      this.#drops.length === 0 && !this.#clearing;
  }

  /** Whether records wait. */
  get hasPuts(): boolean {
    return this.#puts.length > 0;
  }

  put(put: Put): void {
    this.#puts.push(put);
  }

  drop(line: DropLine): void {
    this.#drops.push(line);
  }

  /** All that is written is to be forgotten. */
  clear(): void {
    this.#drops = [];
    this.#clearing = true;
  }

  /** There is no journal any more that could bring back what went. */
  tellNothing(): void {
    this.#drops = [];
    this.#clearing = false;
  }

  /** What is to be written now, until `landed`; a record that is written anew twice waits for the next time. */
  take(): TakenWrites {
    const puts: Put[] = [];
    const left: Put[] = [];
    const again = new Set<DiskCopy>();
    for (const put of this.#puts) {
      if (!this.isWanted(put)) refuse(put);
      else if (again.has(put.copy)) left.push(put);
      else {
        if (put.again) again.add(put.copy);
        puts.push(put);
      }
    }
    const taken = { puts, drops: this.#drops, clearing: this.#clearing };
    this.#puts = left;
    this.#flying = puts;
    this.tellNothing();
    return taken;
  }

  /** What was taken is written, or failed. */
  landed(): void {
    this.#flying = [];
  }

  /** Stores nothing of what waits. */
  giveUp(): void {
    const puts = this.#puts;
    this.#puts = [];
    this.tellNothing();
    for (const put of puts) refuse(put);
  }

  /** Whether nobody took it back. */
  isWanted({ copy, again }: Put): boolean {
    return again ? copy.isIn(this.#index) : !copy.cancelled;
  }

  /** Takes back what a purge means; how many there were. What is only written anew is forgotten where it lies. */
  cancel(purge: Purge): number {
    let cancelled = 0;
    for (const { again, copy, key, tags } of [...this.#puts, ...this.#flying]) {
      if (again || copy.cancelled || !isPurged(purge, key, tags)) continue;
      copy.cancelled = true;
      cancelled++;
    }
    return cancelled;
  }
}
