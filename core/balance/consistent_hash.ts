/**
 * `balance: hash`: a key keeps its backend, unless that has too much to do.
 *
 * Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam,
 * SODA 2018, https://arxiv.org/abs/1608.01350): nobody serves more than 1.25 times
 * its share of what all serve, whatever the keys; what is above goes on to the
 * next arc of the ring whose owner has room.
 *
 * @module
 */
import type { HashKey } from "./hash_key.ts";
import { arcOf, ARCS, HashRing } from "./hash_ring.ts";
import type { Member, PickContext, Policy } from "./policy.ts";
import { RoundRobin } from "./round_robin.ts";
import { hashText } from "./text_hash.ts";

/** How much of its share of the whole load a member may serve (the paper's c). */
export const LOAD_FACTOR = 1.25;

/**
 * A load up to which nobody has too much to do. With a handful of requests in
 * all, 1.25 times a share is 1 or 2: one browser's six connections would be
 * scattered over backends that all have nothing to do.
 */
export const LOW_LOAD = 8;

/** How many loads a pick reads for the whole: all of so many members, of more a part in its turn. */
const READ_PER_PICK = 16;

/** By the hash of a key; requests without one take turns. */
export class ConsistentHash<M extends Member> implements Policy<M> {
  #members: readonly M[] = [];
  #weights = new Float64Array(0);
  #sum = 0;
  readonly #key: HashKey;
  readonly #ring = new HashRing();
  readonly #turns = new RoundRobin<M>();
  /** Each member's load when it was last read, and their sum. */
  #loads = new Float64Array(0);
  #total = 0;
  #nextRead = 0;
  /** The pick that met a member last. */
  #met = new Uint32Array(0);
  #pick = 0;

  constructor(key: HashKey) {
    this.#key = key;
  }

  update(members: readonly M[]): void {
    this.#members = [...members];
    this.#weights = Float64Array.from(members, ({ weight }) => weight);
    this.#sum = this.#weights.reduce((sum, weight) => sum + weight, 0);
    this.#loads = Float64Array.from(members, ({ load }) => load);
    this.#total = this.#loads.reduce((sum, load) => sum + load, 0);
    this.#nextRead = 0;
    this.#met = new Uint32Array(members.length);
    this.#pick = 0;
    this.#ring.update(members);
    this.#turns.update(members);
  }

  pick(context: PickContext, usable?: (member: M) => boolean): M | undefined {
    const key = this.#key(context);
    return (key === undefined ? undefined : this.#byKey(key, usable)) ??
      this.#turns.pick(context, usable);
  }

  peek(context: PickContext, usable?: (member: M) => boolean): M | undefined {
    const key = this.#key(context);
    if (key === undefined) return this.#turns.peek(context, usable);
    const loads = this.#loads.slice();
    const [total, nextRead] = [this.#total, this.#nextRead];
    const owner = this.#byKey(key, usable);
    this.#loads = loads;
    this.#total = total;
    this.#nextRead = nextRead;
    return owner ?? this.#turns.peek(context, usable);
  }

  /** Undefined also where one that owns no arc is the only usable: there are few arcs for many members. */
  #byKey(key: string, usable?: (member: M) => boolean): M | undefined {
    this.#readLoads();
    return this.#walk(arcOf(hashText(key)), usable);
  }

  /** The first on the ring with room; where nobody usable has, the first usable. */
  #walk(start: number, usable?: (member: M) => boolean): M | undefined {
    const members = this.#members;
    const met = this.#met;
    const pick = this.#nextPick();
    const all = LOAD_FACTOR * (this.#total + 1);
    let left = members.length;
    let spare: M | undefined;
    for (let step = 0; step < ARCS && left > 0; step++) {
      const place = this.#ring.owner((start + step) % ARCS);
      if (met[place] === pick) continue;
      met[place] = pick;
      left--;
      const member = members[place]!;
      if (usable !== undefined && !usable(member)) continue;
      const room = Math.ceil(all * this.#weights[place]! / this.#sum);
      if (member.load < Math.max(room, LOW_LOAD)) return member;
      spare ??= member;
    }
    return spare;
  }

  /** Reads loads anew, a bounded number, so that a pick costs the same among 1,000. */
  #readLoads(): void {
    const members = this.#members;
    const { length } = members;
    let place = this.#nextRead;
    for (let i = Math.min(READ_PER_PICK, length); i > 0; i--) {
      const { load } = members[place]!;
      this.#total += load - this.#loads[place]!;
      this.#loads[place] = load;
      if (++place === length) place = 0;
    }
    this.#nextRead = place;
  }

  /** A number that `#met` does not hold. */
  #nextPick(): number {
    if (++this.#pick > 0xffffffff) {
      this.#met.fill(0);
      this.#pick = 1;
    }
    return this.#pick;
  }
}
