/**
 * Smooth weighted round robin (nginx's): each pick adds every weight to its
 * item's credit, takes the item with the most, and subtracts the sum from it.
 * Over any window the picks are spread as evenly as the weights allow.
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
  readonly #slots: Slot<T>[];

  constructor(items: readonly Weighted<T>[]) {
    this.#slots = items
      .filter((item) => item.weight > 0)
      .map((item) => ({ ...item, credit: 0 }));
  }

  /** The next item that is `usable`, undefined where none is. */
  pick(usable?: (item: T) => boolean): T | undefined {
    const slots = this.#slots;
    if (slots.length === 1) {
      const { item } = slots[0]!;
      return usable === undefined || usable(item) ? item : undefined;
    }
    let best: Slot<T> | undefined;
    let total = 0;
    for (const slot of slots) {
      if (usable !== undefined && !usable(slot.item)) continue;
      slot.credit += slot.weight;
      total += slot.weight;
      if (best === undefined || slot.credit > best.credit) best = slot;
    }
    if (best === undefined) return undefined;
    best.credit -= total;
    return best.item;
  }
}
