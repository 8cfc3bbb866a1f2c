/**
 * Items from one side to the other, in their order, each taken once.
 *
 * Adding never waits, so that it can be done within a call that must not: who
 * adds asks for room afterwards, and brings nothing more until there is some.
 *
 * @module
 */

/** Items that may wait before who brings more has to. */
export const CHANNEL_SIZE = 10;

/** A channel. */
export class BoundedChannel<T> {
  /** Called when an item waits that nobody was there for. */
  onWaiting: (() => void) | undefined;
  /** Called when an item was taken. */
  onTaken: ((item: T) => void) | undefined;
  /** Items that were taken so far. */
  taken = 0;
  #items: T[] = [];
  #head = 0;
  readonly #takers: ((item: T | undefined) => void)[] = [];
  #room: PromiseWithResolvers<void> | undefined;
  /** Nothing is added any more, but what waits can be taken. */
  #closed = false;

  /** Items that wait. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  /** Brings an item; ignored once it is closed. */
  add(item: T): void {
    if (this.#closed) return;
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      this.taken++;
      taker(item);
      this.onTaken?.(item);
      return;
    }
    this.#items.push(item);
    this.onWaiting?.();
  }

  /** Brings the last item. */
  close(item: T): void {
    this.add(item);
    this.#closed = true;
    this.#dismissTakers();
  }

  /** Resolves when no more wait than may; undefined where that is so now. */
  room(): Promise<void> | undefined {
    if (this.size <= CHANNEL_SIZE) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /** The next item, where there is one. */
  take(): T | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head++]!;
    if (this.#head === this.#items.length) this.#items.length = this.#head = 0;
    this.taken++;
    this.#makeRoom();
    this.onTaken?.(item);
    return item;
  }

  /** The next item as soon as there is one; undefined where none comes any more. */
  next(): Promise<T | undefined> {
    if (this.size > 0 || this.#closed) return Promise.resolve(this.take());
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** It is over: what was not taken. Nobody takes or waits any more. */
  end(): T[] {
    this.#closed = true;
    const rest = this.#items.slice(this.#head);
    this.#items.length = this.#head = 0;
    this.#dismissTakers();
    this.#makeRoom();
    return rest;
  }

  #dismissTakers(): void {
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #makeRoom(): void {
    if (this.size > CHANNEL_SIZE) return;
    this.#room?.resolve();
    this.#room = undefined;
  }
}
