/**
 * Smooth weighted round robin, as nginx's, over whichever items are usable:
 * each pick gives every usable item its share of the pick as credit, takes the
 * one with the most, and takes the whole pick from it. So credit says how far an
 * item lags behind, and over any window the picks are spread as evenly as the
 * weights allow.
 *
 * A pick is always worth the same. If it were worth the usable weights, as in
 * nginx, an item would pay less while others are left out, and get up to twice
 * its due (measured).
 *
 * @module
 */

/** One item with its share. */
export interface Weighted<T> {
  readonly item: T;
  /** 0: never picked. */
  readonly weight: number;
}

interface Slot<T> extends Weighted<T> {
  credit: number;
}

/** Picks items in turn by their weights. */
export class SmoothRoundRobin<T> {
  readonly #slots: readonly Slot<T>[];
  /** What a pick is worth: the sum of all weights, so that credits stay whole numbers while all are usable. */
  readonly #worth: number;

  constructor(items: readonly Weighted<T>[]) {
    this.#slots = items
      .filter((item) => item.weight > 0)
      .map((item) => ({ ...item, credit: 0 }));
    this.#worth = sumOfWeights(this.#slots);
  }

  /** The next item that is `usable`, undefined where none is. */
  pick(usable?: (item: T) => boolean): T | undefined {
    const slots = this.#slots;
    if (slots.length === 1) {
      const { item } = slots[0]!;
      return usable === undefined || usable(item) ? item : undefined;
    }
    if (usable === undefined) return this.#take(slots, 1);
    const left = slots.filter(({ item }) => usable(item));
    return this.#take(left, this.#worth / sumOfWeights(left));
  }

  /** The best of the slots, each given its weight times `scale` before. */
  #take(slots: readonly Slot<T>[], scale: number): T | undefined {
    let best: Slot<T> | undefined;
    for (const slot of slots) {
      slot.credit += slot.weight * scale;
      if (best === undefined || slot.credit > best.credit) best = slot;
    }
    if (best === undefined) return undefined;
    best.credit -= this.#worth;
    return best.item;
  }
}

function sumOfWeights(slots: readonly Weighted<unknown>[]): number {
  return slots.reduce((sum, { weight }) => sum + weight, 0);
}
