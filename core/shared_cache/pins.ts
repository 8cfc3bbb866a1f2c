/**
 * Entries that another worker was told of and is about to read: kept for some
 * seconds, whatever the store forgets.
 *
 * @module
 */
import type { StoredEntry } from "../cache/store.ts";
import type { Clock } from "../net/clock.ts";

/** Milliseconds for which an entry is kept at least, and at most twice. */
const KEPT = 5_000;

/** Entries by number. */
export class Pins {
  readonly #clock: Clock;
  #young = new Map<number, StoredEntry>();
  #old = new Map<number, StoredEntry>();
  /** Of the young ones: who is asked for often is not kept often. */
  #numbers = new Map<StoredEntry, number>();
  #next = 0;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Keeps it; its number, from 1 on. */
  pin(entry: StoredEntry): number {
    let number = this.#numbers.get(entry);
    if (number === undefined) {
      number = ++this.#next;
      this.#numbers.set(entry, number);
      this.#young.set(number, entry);
      this.#cancel ??= this.#clock.after(KEPT, () => this.#age());
    }
    return number;
  }

  /** The entry, where it is kept still. */
  get(number: number): StoredEntry | undefined {
    return this.#young.get(number) ?? this.#old.get(number);
  }

  #age(): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#numbers = new Map();
    this.#cancel = this.#old.size === 0
      ? undefined
      : this.#clock.after(KEPT, () => this.#age());
  }

  /** Lets go of all. */
  clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#young.clear();
    this.#old.clear();
    this.#numbers.clear();
  }
}
