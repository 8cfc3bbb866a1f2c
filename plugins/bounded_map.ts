/**
 * A map that holds so many entries at most, each for a while: what was used
 * least recently goes first, so that no flood of keys fills the memory.
 *
 * @module
 */
import type { Clock } from "../core/plugin.ts";

/** Bounds of a map. */
export interface BoundedMapOptions {
  readonly clock: Pick<Clock, "now">;
  /** Entries at most. */
  readonly size: number;
  /** Milliseconds that an entry lives from when it was set. */
  readonly time: number;
}

/** A map with an end for everything. */
export class BoundedMap<K, V> {
  readonly #clock: Pick<Clock, "now">;
  readonly #size: number;
  readonly #time: number;
  /** A map keeps the order in which entries came: the first was used least recently. */
  readonly #entries = new Map<K, { readonly value: V; readonly end: number }>();

  constructor({ clock, size, time }: BoundedMapOptions) {
    this.#clock = clock;
    this.#size = size;
    this.#time = time;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.end <= this.#clock.now()) return undefined;
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** `time` for this entry, where it is shorter than the map's. */
  set(key: K, value: V, time = this.#time): void {
    this.#entries.delete(key);
    if (this.#size === 0) return;
    if (this.#entries.size >= this.#size) {
      this.#entries.delete(this.#entries.keys().next().value!);
    }
    const end = this.#clock.now() + Math.min(time, this.#time);
    this.#entries.set(key, { value, end });
  }

  clear(): void {
    this.#entries.clear();
  }
}
