/**
 * Memory that all workers share of one owner: by it a copy is known to be
 * current, without a word to its owner or from it. Whoever changes something
 * counts up here; a copy that was made at another count is none any more, at
 * once and whatever its holder is doing. So nobody has to keep a list of who has
 * copies, nor wait for them to be dropped.
 *
 * @module
 */
import { textKey } from "../cache/text_key.ts";

/** Purges that were asked of the owner. */
const ASKED = 0;
/** Changes that may be of any key. */
const ALL = 1;
const HEADER = 2;

/** Counts of changes; keys that share one cost each other a copy now and then. */
const SLOTS = 1 << 14;

/** The counts of one owner. */
export class OwnerMemory {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array<SharedArrayBuffer>;

  /** What another worker made; a new one where it is left out. */
  constructor(
    buffer = new SharedArrayBuffer(
      (HEADER + SLOTS) * Int32Array.BYTES_PER_ELEMENT,
    ),
  ) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
  }

  /** Where a key's changes are counted; all keys of a URL have one. */
  slotOf(key: string): number {
    const tab = key.indexOf("\t");
    const url = tab < 0 ? key : key.slice(0, tab);
    // The low bits choose the owner.
    return HEADER + Math.floor(textKey(url) / 64) % SLOTS;
  }

  /** What is known of a slot now: two equal ones have no change between them. */
  versionAt(slot: number): number {
    // 53 bits hold both; 2³¹ changes in a copy's life are none.
    return Atomics.load(this.#cells, ALL) * 2 ** 21 +
      (Atomics.load(this.#cells, slot) & 0x1f_ffff);
  }

  /** Something under the keys of this slot has changed, or does. */
  change(slot: number): void {
    Atomics.add(this.#cells, slot, 1);
  }

  /** Anything may have changed. */
  changeAll(): void {
    Atomics.add(this.#cells, ALL, 1);
  }

  /** A purge is on its way to the owner. */
  ask(): void {
    Atomics.add(this.#cells, ASKED, 1);
  }

  /** How many were asked for: the owner looks nothing up before it knows of all of them. */
  get asked(): number {
    return Atomics.load(this.#cells, ASKED);
  }
}
