/**
 * A map from texts to numbers in memory that all workers share. Its size is
 * fixed when it is made: it has sets of eight entries, a key's hash says which
 * set is its own, and in a full one the entry whose time is up first makes room.
 *
 * An entry holds the hash of its key and not the key: with 64 bits and a secret
 * seed, two of a million keys meet with a probability of 3 in 100 million.
 *
 * @module
 */
import type { SharedMap } from "../plugin.ts";
import { KeyHash } from "./key_hash.ts";
import { Locks } from "./set_lock.ts";

/** Entries of a set. */
const WAYS = 8;

/** Layout, in words of 8 bytes: the header, then sets of a lock and entries. */
const HEADER = 8;
const ENTRY = 3;
const SET = 1 + WAYS * ENTRY;

/** Words of an entry. */
const VALUE = 0;
/** Milliseconds since the epoch; in the past: the entry is free. */
const END = 1;
/** The key's hash, two Int32. */
const HASH = 2;

/** Places of the header's Int32. */
const SEED = 0;
const EVICTED = 2;

/** The bytes of a map of at least so many entries. */
export function mapBytes(entries: number): number {
  const sets = 2 ** Math.ceil(Math.log2(Math.max(1, entries / WAYS)));
  return (HEADER + sets * SET) * 8;
}

/** Makes an empty map of memory that is all 0. */
export function initMap(memory: SharedArrayBuffer): void {
  const random = crypto.getRandomValues(new Int32Array(2));
  new Int32Array(memory).set(random, SEED);
}

/** A map in its memory, as one thread uses it. */
export class MemoryMap implements SharedMap {
  readonly #ints: Int32Array;
  readonly #doubles: Float64Array;
  readonly #mask: number;
  readonly #hash: KeyHash;
  readonly #locks: Locks;
  readonly #now: () => number;

  /** `now` gives milliseconds since the epoch. */
  constructor(memory: SharedArrayBuffer, now: () => number) {
    const ints = this.#ints = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
    this.#mask = (memory.byteLength / 8 - HEADER) / SET - 1;
    this.#hash = new KeyHash(ints[SEED]!, ints[SEED + 1]!);
    this.#locks = new Locks(ints);
    this.#now = now;
  }

  get evicted(): number {
    return Atomics.load(this.#ints, EVICTED) >>> 0;
  }

  get(key: string): number | undefined {
    const now = this.#now();
    const set = this.#enter(key);
    try {
      const entry = this.#find(set, now);
      return entry === -1 ? undefined : this.#doubles[entry + VALUE]!;
    } finally {
      this.#leave(set);
    }
  }

  set(key: string, value: number, ttl: number): void {
    check(value, ttl);
    const now = this.#now();
    const set = this.#enter(key);
    try {
      this.#put(set, this.#find(set, now), value, now, ttl);
    } finally {
      this.#leave(set);
    }
  }

  add(key: string, by: number, ttl: number): number {
    check(by, ttl);
    const now = this.#now();
    const set = this.#enter(key);
    try {
      const entry = this.#find(set, now);
      if (entry === -1) {
        this.#put(set, entry, by, now, ttl);
        return by;
      }
      return this.#doubles[entry + VALUE]! += by;
    } finally {
      this.#leave(set);
    }
  }

  compareExchange(
    key: string,
    expected: number | undefined,
    value: number,
    ttl: number,
  ): number | undefined {
    check(value, ttl);
    const now = this.#now();
    const set = this.#enter(key);
    try {
      const entry = this.#find(set, now);
      const found = entry === -1 ? undefined : this.#doubles[entry + VALUE]!;
      if (found === expected) this.#put(set, entry, value, now, ttl);
      return found;
    } finally {
      this.#leave(set);
    }
  }

  delete(key: string): boolean {
    const now = this.#now();
    const set = this.#enter(key);
    try {
      const entry = this.#find(set, now);
      if (entry !== -1) this.#doubles[entry + END] = 0;
      return entry !== -1;
    } finally {
      this.#leave(set);
    }
  }

  /** Locks the key's set: its place. */
  #enter(key: string): number {
    const hash = this.#hash;
    hash.hash(key);
    const set = HEADER + (hash.low & this.#mask) * SET;
    this.#locks.take(set * 2);
    return set;
  }

  #leave(set: number): void {
    this.#locks.give(set * 2);
  }

  /** The place of the entry of the key that was hashed last, -1 where there is none. */
  #find(set: number, now: number): number {
    const { low, high } = this.#hash;
    const ints = this.#ints;
    const doubles = this.#doubles;
    const end = set + SET;
    for (let entry = set + 1; entry < end; entry += ENTRY) {
      const hash = (entry + HASH) * 2;
      if (
        ints[hash] === low && ints[hash + 1] === high &&
        doubles[entry + END]! > now
      ) return entry;
    }
    return -1;
  }

  /** Writes the key's entry at `entry`, or at the best place where that is -1. */
  #put(
    set: number,
    entry: number,
    value: number,
    now: number,
    ttl: number,
  ): void {
    const place = entry === -1 ? this.#makeRoom(set, now) : entry;
    const doubles = this.#doubles;
    const hash = (place + HASH) * 2;
    // Whoever takes this lock over from a worker that ends here finds a free entry.
    doubles[place + END] = 0;
    this.#ints[hash] = this.#hash.low;
    this.#ints[hash + 1] = this.#hash.high;
    doubles[place + VALUE] = value;
    doubles[place + END] = now + ttl;
  }

  /** A free entry, or the one whose time is up first. */
  #makeRoom(set: number, now: number): number {
    const doubles = this.#doubles;
    let first = set + 1;
    for (let entry = first; entry < set + SET; entry += ENTRY) {
      if (doubles[entry + END]! < doubles[first + END]!) first = entry;
    }
    if (doubles[first + END]! > now) Atomics.add(this.#ints, EVICTED, 1);
    return first;
  }
}

function check(value: number, ttl: number): void {
  if (!Number.isFinite(value)) {
    throw new RangeError(
      `Cannot keep a number in a shared map that is not finite: current value is ${value}`,
    );
  }
  if (!(ttl > 0)) {
    throw new RangeError(
      `Cannot keep an entry of a shared map for no time: current ttl is ${ttl}`,
    );
  }
}
