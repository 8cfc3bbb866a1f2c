/**
 * Smooth weighted round robin: turns by weight among whoever is usable, kept
 * fair while members come, go and change their weights. Round robin, ties of
 * least connections and the choice of a subcluster take their turns here.
 *
 * Each pick gives every usable member its share of the pick as credit, takes the
 * one with the most, and takes the whole pick from it. So credit says how far a
 * member lags behind, and over any window the picks are spread as evenly as the
 * weights allow.
 *
 * A pick is always worth the same. If it were worth the usable weights, as in
 * nginx, a member would pay less while others are left out, and get up to twice
 * its due (measured).
 *
 * @module
 */

/** Somebody with a share of the turns. */
export interface Share {
  readonly id: string;
  /** Above 0. */
  readonly weight: number;
}

/**
 * Whose credits are kept at most of those that left. With them a member that
 * goes down and comes up again and again gets its due, as if it had only been
 * left out; without them it would get a turn too many each time.
 */
const MAX_AWAY = 1_000;

/** Turns among shares, by their places in the last update. */
export class Turns {
  #ids: readonly string[] = [];
  #weights = new Float64Array(0);
  /** What each is owed, in weight. */
  #credits = new Float64Array(0);
  /** What a pick is worth: the sum of all weights, so that credits stay whole numbers while all are usable. */
  #worth = 0;
  /** Credits of those that left, the longest gone first. */
  readonly #away = new Map<string, number>();

  /**
   * Who takes turns from now on. Who was there before keeps its credit, and who
   * is new has none: since the one with the most is always next, nobody's is ever
   * far from none, and a new one gets its first turn within a round or two.
   */
  update(shares: readonly Share[]): void {
    const credits = this.#away;
    this.#ids.forEach((id, place) => credits.set(id, this.#credits[place]!));
    const weights = Float64Array.from(shares, ({ weight }) => weight);
    const sum = weights.reduce((sum, weight) => sum + weight, 0);
    // With nobody left a pick has no worth; what is owed keeps the last unit.
    if (sum > 0) this.#revalue(sum);
    this.#ids = shares.map(({ id }) => id);
    this.#weights = weights;
    this.#credits = Float64Array.from(this.#ids, (id) => credits.get(id) ?? 0);
    for (const id of this.#ids) credits.delete(id);
    for (const id of credits.keys()) {
      if (credits.size <= MAX_AWAY) break;
      credits.delete(id);
    }
  }

  /** The place of the next one; -1 where there is none. */
  next(): number {
    const { length } = this.#weights;
    // The only one pays what it gets.
    if (length <= 1) return length - 1;
    return this.#take(1, undefined);
  }

  /** The place of the next one whose flag is not 0; -1 where there is none. */
  nextOf(flags: Uint8Array): number {
    const weights = this.#weights;
    let sum = 0;
    for (let i = 0; i < weights.length; i++) {
      if (flags[i] !== 0) sum += weights[i]!;
    }
    return sum === 0 ? -1 : this.#take(this.#worth / sum, flags);
  }

  /** What `work` returns; the turns that it takes count as not taken. Not for updates. */
  undone<T>(work: () => T): T {
    const credits = this.#credits.slice();
    try {
      return work();
    } finally {
      this.#credits = credits;
    }
  }

  /** The one with the most credit, each given its weight times `scale` before. */
  #take(scale: number, flags: Uint8Array | undefined): number {
    const weights = this.#weights;
    const credits = this.#credits;
    let best = -1;
    let most = -Infinity;
    for (let i = 0; i < weights.length; i++) {
      if (flags !== undefined && flags[i] === 0) continue;
      const credit = credits[i]! + weights[i]! * scale;
      credits[i] = credit;
      if (credit > most) {
        most = credit;
        best = i;
      }
    }
    credits[best]! -= this.#worth;
    return best;
  }

  /** The worth of a pick changes; how many picks each is owed must not. */
  #revalue(worth: number): void {
    if (this.#worth > 0 && this.#worth !== worth) {
      const scale = worth / this.#worth;
      for (const [id, credit] of this.#away) {
        this.#away.set(id, credit * scale);
      }
    }
    this.#worth = worth;
  }
}
