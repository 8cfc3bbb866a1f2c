/**
 * Which subcluster of a cluster a request goes to, or that it is answered 503 on
 * purpose.
 *
 * @module
 */
import type { HashKey } from "./hash_key.ts";
import type { PickContext } from "./policy.ts";
import { arrivalOf, hashName, type NameHash, wins } from "./rendezvous.ts";
import { hashText } from "./text_hash.ts";
import { Turns } from "./turns.ts";

/** A subcluster as the choice sees it. */
export interface SubclusterShare {
  /** Unique in its cluster. */
  readonly name: string;
  /** Its share of the cluster's requests; 0 = none. */
  readonly weight: number;
  /** How many of its members may be picked now; with 0 the others get its share. */
  readonly members: number;
}

/** What becomes of a request. */
export type SubclusterPick<S> =
  | { readonly kind: "subcluster"; readonly subcluster: S }
  /** It is answered 503. */
  | { readonly kind: "blackhole" };

/** What a choice of subclusters is made with. */
export interface SubclusterChoiceOptions {
  /** Of a cluster with `balance: hash`: then the key's subcluster stays, too. */
  readonly hashKey?: HashKey | undefined;
}

interface Candidate<S> {
  readonly subcluster: S;
  readonly name: NameHash;
  readonly pick: SubclusterPick<S>;
}

const BLACKHOLE = Object.freeze({ kind: "blackhole" });

/**
 * Chooses subclusters in turns by weight, those that have nobody to pick left
 * out; of a cluster with a hash key by weighted rendezvous of that key, so that a
 * key keeps its subcluster, and with it its backend, while that has members.
 *
 * The blackhole swallows its share of requests, not of keys: always in turns, and
 * `blackhole / (blackhole + all weights)`, also while subclusters have no members.
 */
export class SubclusterChoice<S extends SubclusterShare> {
  readonly #key: HashKey | undefined;
  /** Those that requests may go to. */
  #candidates: readonly Candidate<S>[] = [];
  readonly #turns = new Turns();
  #flags = new Uint8Array(0);
  /** Between answering and the blackhole, which is the last. */
  readonly #fate = new Turns();
  #fates = 1;
  #blackhole = false;

  constructor(options: SubclusterChoiceOptions = {}) {
    this.#key = options.hashKey;
  }

  /**
   * What is chosen from now on. Comes before the first pick and after each change
   * of a weight or of a number of members; turns go on as before.
   */
  update(subclusters: readonly S[], blackhole: number): void {
    this.#candidates = subclusters
      .filter(({ weight, members }) => weight > 0 && members > 0)
      .map((subcluster) => ({
        subcluster,
        name: hashName(subcluster.name),
        pick: Object.freeze({ kind: "subcluster", subcluster }),
      }));
    this.#turns.update(
      this.#candidates.map(({ subcluster: { name, weight } }) => ({
        id: name,
        weight,
      })),
    );
    this.#flags = new Uint8Array(this.#candidates.length);
    const answered = subclusters.reduce((sum, { weight }) => sum + weight, 0);
    const fates = [
      { id: "answered", weight: answered },
      { id: "blackhole", weight: blackhole },
    ].filter(({ weight }) => weight > 0);
    this.#fate.update(fates);
    this.#fates = fates.length;
    this.#blackhole = blackhole > 0;
  }

  /**
   * Where the request goes, to no subcluster for which `usable` is false;
   * undefined where none is left. With `again` it is a further attempt of a
   * request that was not swallowed, and is not swallowed now. Nothing is
   * allocated but what reading a key takes.
   */
  pick(
    context: PickContext,
    usable?: (subcluster: S) => boolean,
    again = false,
  ): SubclusterPick<S> | undefined {
    if (this.#blackhole && !again && this.#fate.next() === this.#fates - 1) {
      return BLACKHOLE;
    }
    const candidates = this.#candidates;
    // With one there is nothing to choose, and no key to read.
    const key = candidates.length > 1 ? this.#key?.(context) : undefined;
    if (key !== undefined) return this.#byKey(hashText(key), usable);
    if (usable === undefined) return candidates[this.#turns.next()]?.pick;
    const flags = this.#flags;
    for (let i = 0; i < candidates.length; i++) {
      flags[i] = usable(candidates[i]!.subcluster) ? 1 : 0;
    }
    return candidates[this.#turns.nextOf(flags)]?.pick;
  }

  /** What `pick` would answer next, without any trace of the question. */
  peek(
    context: PickContext,
    usable?: (subcluster: S) => boolean,
    again = false,
  ): SubclusterPick<S> | undefined {
    return this.#fate.undone(() =>
      this.#turns.undone(() => this.pick(context, usable, again))
    );
  }

  #byKey(
    key: number,
    usable: ((subcluster: S) => boolean) | undefined,
  ): SubclusterPick<S> | undefined {
    let best: Candidate<S> | undefined;
    let earliest = Infinity;
    for (const candidate of this.#candidates) {
      const { subcluster, name } = candidate;
      if (usable !== undefined && !usable(subcluster)) continue;
      const arrival = arrivalOf(key, name, subcluster.weight, earliest);
      if (
        best === undefined ||
        wins(arrival, subcluster.name, earliest, best.subcluster.name)
      ) {
        best = candidate;
        earliest = arrival;
      }
    }
    return best?.pick;
  }
}
