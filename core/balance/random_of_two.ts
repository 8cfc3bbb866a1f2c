/**
 * `balance: random`: the power of two choices (Mitzenmacher, "The Power of Two
 * Choices in Randomized Load Balancing", 1996).
 *
 * Of two drawn at random the one with less to do is nearly as good as the best of
 * all, and many proxies that know old loads don't all run to the same one.
 *
 * @module
 */
import {
  type Member,
  type PickContext,
  type Policy,
  UNTOLD,
} from "./policy.ts";
import { mix } from "./text_hash.ts";

/** Two different ones by weight; of them the one with the lower load per weight. */
export class RandomOfTwo<M extends Member> implements Policy<M> {
  #members: readonly M[] = [];
  #weights = new Float64Array(0);
  #sum = 0;
  /** Weights of those that are usable, the others' 0. */
  #usable = new Float64Array(0);
  /** The generator's one number (SplitMix): a call of `Math.random` allocates what it returns. */
  readonly #state: Uint32Array;

  /** `random`, as `Math.random`, gives a number from 0 to below 1 to start with; the draws follow from it. */
  constructor(random: () => number) {
    this.#state = Uint32Array.of(random() * 2 ** 32);
  }

  update(members: readonly M[]): void {
    this.#members = [...members];
    this.#weights = Float64Array.from(members, ({ weight }) => weight);
    this.#sum = this.#weights.reduce((sum, weight) => sum + weight, 0);
    this.#usable = new Float64Array(members.length);
  }

  pick(
    _context: PickContext,
    usable?: (member: M) => boolean,
  ): M | undefined {
    const members = this.#members;
    let weights = this.#weights;
    let sum = this.#sum;
    if (usable !== undefined) {
      weights = this.#usable;
      sum = 0;
      for (let i = 0; i < members.length; i++) {
        const weight = usable(members[i]!) ? this.#weights[i]! : 0;
        weights[i] = weight;
        sum += weight;
      }
    }
    const first = this.#draw(weights, sum, -1);
    if (first < 0) return undefined;
    const second = this.#draw(weights, sum - weights[first]!, first);
    if (second < 0) return members[first];
    const one = members[first]!;
    const other = members[second]!;
    // A tie goes to the first: it was drawn by weight alone.
    return other.load * weights[first]! < one.load * weights[second]!
      ? other
      : one;
  }

  /** Chance has no answer in advance but where one alone is left. */
  peek(
    _context: PickContext,
    usable?: (member: M) => boolean,
  ): M | undefined | typeof UNTOLD {
    const [one, other] = usable === undefined
      ? this.#members
      : this.#members.filter(usable);
    return other === undefined ? one : UNTOLD;
  }

  /** One by weight that is not `taken`; -1 where there is none. */
  #draw(weights: Float64Array, sum: number, taken: number): number {
    let left = this.#random() * sum;
    let last = -1;
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i]!;
      if (weight === 0 || i === taken) continue;
      if (left < weight) return i;
      left -= weight;
      last = i;
    }
    // Sums round: a draw close to the end may run over it.
    return last;
  }

  /** From 0 to below 1. */
  #random(): number {
    const state = this.#state[0]! + 0x9e3779b9;
    this.#state[0] = state;
    return mix(state) / 2 ** 32;
  }
}
