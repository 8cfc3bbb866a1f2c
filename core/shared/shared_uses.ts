/**
 * Counts of what is under way by key, in memory that all workers share. Each
 * worker has a count of its own in every entry, so that the share of one that is
 * lost goes with it. An entry is there for as long as anything of it is under
 * way, and nobody is ever made room for.
 *
 * @module
 */
import type { SharedUses } from "../plugin.ts";
import { KeyHash } from "./key_hash.ts";
import { Locks } from "./set_lock.ts";

/** Entries of a set. */
const WAYS = 8;

/** Layout in Int32: the header, then sets of a lock and entries of a hash and a count for each seat. */
const HEADER = 4;
const SEED = 0;
const SEATS = 2;
const COUNTS = 2;

/** The bytes of counts of at least so many keys, for workers in so many seats. */
export function usesBytes(entries: number, seats: number): number {
  const sets = 2 ** Math.ceil(Math.log2(Math.max(1, entries / WAYS)));
  return (HEADER + sets * setSize(seats)) * 4;
}

/** Makes it of memory that is all 0. */
export function initUses(memory: SharedArrayBuffer, seats: number): void {
  const ints = new Int32Array(memory);
  ints.set(crypto.getRandomValues(new Int32Array(2)), SEED);
  ints[SEATS] = seats;
}

/** Forgets what the worker of a seat has under way. */
export function forgetUses(memory: SharedArrayBuffer, seat: number): void {
  const ints = new Int32Array(memory);
  const seats = ints[SEATS]!;
  const size = setSize(seats);
  for (let set = HEADER; set < ints.length; set += size) {
    for (let way = 0; way < WAYS; way++) {
      const entry = set + 1 + way * (COUNTS + seats);
      Atomics.store(ints, entry + COUNTS + seat, 0);
    }
  }
}

function setSize(seats: number): number {
  return 1 + WAYS * (COUNTS + seats);
}

/** The counts as the worker of one seat uses them. */
export class MemoryUses implements SharedUses {
  readonly #ints: Int32Array;
  readonly #seat: number;
  readonly #seats: number;
  readonly #size: number;
  readonly #mask: number;
  readonly #hash: KeyHash;
  readonly #locks: Locks;

  constructor(memory: SharedArrayBuffer, seat: number) {
    const ints = this.#ints = new Int32Array(memory);
    this.#seat = seat;
    this.#seats = ints[SEATS]!;
    this.#size = setSize(this.#seats);
    this.#mask = (ints.length - HEADER) / this.#size - 1;
    this.#hash = new KeyHash(ints[SEED]!, ints[SEED + 1]!);
    this.#locks = new Locks(ints);
  }

  enter(key: string): number | undefined {
    const set = this.#lock(key);
    try {
      const entry = this.#find(set) ?? this.#free(set);
      if (entry === undefined) return undefined;
      this.#ints[entry] = this.#hash.low;
      this.#ints[entry + 1] = this.#hash.high;
      this.#ints[entry + COUNTS + this.#seat]!++;
      return this.#sum(entry);
    } finally {
      this.#locks.give(set);
    }
  }

  leave(key: string): void {
    const set = this.#lock(key);
    try {
      const entry = this.#find(set);
      if (entry === undefined) return;
      const at = entry + COUNTS + this.#seat;
      const uses = this.#ints[at]!;
      if (uses > 0) this.#ints[at] = uses - 1;
    } finally {
      this.#locks.give(set);
    }
  }

  count(key: string): number {
    const set = this.#lock(key);
    try {
      const entry = this.#find(set);
      return entry === undefined ? 0 : this.#sum(entry);
    } finally {
      this.#locks.give(set);
    }
  }

  /** Locks the key's set: its place. */
  #lock(key: string): number {
    this.#hash.hash(key);
    const set = HEADER + (this.#hash.low & this.#mask) * this.#size;
    this.#locks.take(set);
    return set;
  }

  /** The entry of the key that was hashed last, where anything of it is under way. */
  #find(set: number): number | undefined {
    const { low, high } = this.#hash;
    const ints = this.#ints;
    for (let entry = set + 1; entry < set + this.#size;) {
      if (
        ints[entry] === low && ints[entry + 1] === high && this.#sum(entry) > 0
      ) return entry;
      entry += COUNTS + this.#seats;
    }
    return undefined;
  }

  #free(set: number): number | undefined {
    for (let entry = set + 1; entry < set + this.#size;) {
      if (this.#sum(entry) === 0) return entry;
      entry += COUNTS + this.#seats;
    }
    return undefined;
  }

  #sum(entry: number): number {
    let sum = 0;
    const end = entry + COUNTS + this.#seats;
    for (let at = entry + COUNTS; at < end; at++) sum += this.#ints[at]!;
    return sum;
  }
}
