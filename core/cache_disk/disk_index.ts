/**
 * Where stored responses lie on disk: a hash table in plain numbers, so that a
 * million of them take some 50 MB and nothing for the garbage collector to look
 * at.
 *
 * @module
 */

/** No slot. */
export const NONE = -1;

/** Slots to begin with. */
const LEAST = 1024;

/** Uses that are counted, as S3-FIFO has it. */
const MAX_USES = 3;

/** Where a record lies. */
export interface Place {
  /** The segment's number in its store's table; not its name on disk. */
  readonly segment: number;
  readonly offset: number;
  /** Bytes of the record. */
  readonly length: number;
}

/** Slots by hash; all numbers are integers. */
export class DiskIndex {
  /** Entries. */
  size = 0;
  /** Of the URL, 53 bits. */
  #hash = new Float64Array(LEAST);
  /** Of the whole key, 32 bits. */
  #check = new Uint32Array(LEAST);
  /** `NONE` where the slot is free. */
  #segment = new Int32Array(LEAST).fill(NONE);
  #offset = new Uint32Array(LEAST);
  #length = new Uint32Array(LEAST);
  /** When the entry came, as a count: tells it from others that had its slot. */
  #born = new Uint32Array(LEAST);
  #uses = new Uint8Array(LEAST);
  /** The next slot with this bucket, or the next free one. */
  #next = new Int32Array(LEAST);
  #buckets = new Int32Array(LEAST).fill(NONE);
  #used = 0;
  #free = NONE;
  #births = 0;

  /** Takes one in; its slot. It is the first of its hash. */
  add(hash: number, check: number, place: Place): number {
    const slot = this.#take();
    this.#hash[slot] = hash;
    this.#check[slot] = check;
    this.#uses[slot] = 0;
    this.#births = (this.#births + 1) >>> 0;
    this.#born[slot] = this.#births;
    this.move(slot, place);
    const bucket = this.#bucket(hash);
    this.#next[slot] = this.#buckets[bucket]!;
    this.#buckets[bucket] = slot;
    this.size++;
    return slot;
  }

  /** It lies elsewhere from now on. */
  move(slot: number, { segment, offset, length }: Place): void {
    this.#segment[slot] = segment;
    this.#offset[slot] = offset;
    this.#length[slot] = length;
  }

  /** Forgets it. */
  remove(slot: number): void {
    const bucket = this.#bucket(this.#hash[slot]!);
    let at = this.#buckets[bucket]!;
    if (at === slot) this.#buckets[bucket] = this.#next[slot]!;
    else {
      while (this.#next[at] !== slot) at = this.#next[at]!;
      this.#next[at] = this.#next[slot]!;
    }
    this.#segment[slot] = NONE;
    this.#next[slot] = this.#free;
    this.#free = slot;
    this.size--;
  }

  /** The first slot with a hash, `NONE` where there is none. */
  first(hash: number): number {
    return this.#from(this.#buckets[this.#bucket(hash)]!, hash);
  }

  /** The next slot with this one's hash. */
  after(slot: number): number {
    return this.#from(this.#next[slot]!, this.#hash[slot]!);
  }

  #from(slot: number, hash: number): number {
    while (slot !== NONE && this.#hash[slot] !== hash) slot = this.#next[slot]!;
    return slot;
  }

  /** Entries with a hash and a check. */
  count(hash: number, check: number): number {
    let count = 0;
    for (let at = this.first(hash); at !== NONE; at = this.after(at)) {
      if (this.#check[at] === check) count++;
    }
    return count;
  }

  /** The slot of what lies there, `NONE` where nothing does. */
  at(hash: number, segment: number, offset: number): number {
    let at = this.first(hash);
    while (
      at !== NONE &&
      (this.#segment[at] !== segment || this.#offset[at] !== offset)
    ) at = this.after(at);
    return at;
  }

  /** Whether the slot still holds what was born then. */
  holds(slot: number, born: number): boolean {
    return this.#segment[slot] !== NONE && this.#born[slot] === born;
  }

  hash(slot: number): number {
    return this.#hash[slot]!;
  }

  check(slot: number): number {
    return this.#check[slot]!;
  }

  segment(slot: number): number {
    return this.#segment[slot]!;
  }

  offset(slot: number): number {
    return this.#offset[slot]!;
  }

  length(slot: number): number {
    return this.#length[slot]!;
  }

  born(slot: number): number {
    return this.#born[slot]!;
  }

  uses(slot: number): number {
    return this.#uses[slot]!;
  }

  /** It was of use. */
  use(slot: number): void {
    if (this.#uses[slot]! < MAX_USES) this.#uses[slot]!++;
  }

  /** Uses from now on. */
  setUses(slot: number, uses: number): void {
    this.#uses[slot] = uses;
  }

  #bucket(hash: number): number {
    // The low bits are as good as any: the hash is well mixed.
    return hash % 2 ** 32 & (this.#buckets.length - 1);
  }

  #take(): number {
    if (this.#free !== NONE) {
      const slot = this.#free;
      this.#free = this.#next[slot]!;
      return slot;
    }
    if (this.#used === this.#hash.length) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    const size = this.#hash.length * 2;
    this.#hash = copy(new Float64Array(size), this.#hash);
    this.#check = copy(new Uint32Array(size), this.#check);
    this.#segment = copy(new Int32Array(size).fill(NONE), this.#segment);
    this.#offset = copy(new Uint32Array(size), this.#offset);
    this.#length = copy(new Uint32Array(size), this.#length);
    this.#born = copy(new Uint32Array(size), this.#born);
    this.#uses = copy(new Uint8Array(size), this.#uses);
    // It grows only where no slot is free: all of them are in a bucket.
    this.#next = new Int32Array(size);
    this.#buckets = new Int32Array(size).fill(NONE);
    for (let slot = 0; slot < this.#used; slot++) {
      const bucket = this.#bucket(this.#hash[slot]!);
      this.#next[slot] = this.#buckets[bucket]!;
      this.#buckets[bucket] = slot;
    }
  }
}

function copy<T extends { set(from: T): void }>(to: T, from: T): T {
  to.set(from);
  return to;
}
