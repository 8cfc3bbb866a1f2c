/**
 * Attempts that wait for a backend's free slot, first come first served.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";

/** What has a bounded number of slots. */
export interface SlotHolder<P> {
  /** Takes a slot, with what it is given back with; undefined where none is free. */
  takeSlot(): P | undefined;
}

/** A slot that was taken. */
export interface Slot<B, P> {
  readonly backend: B;
  readonly permit: P;
}

/** How long a queue may get. */
export interface QueueLimits {
  /** How many may wait. */
  readonly size: number;
  /** Milliseconds that one waits. */
  readonly timeout: number;
}

/** One that waits. */
export interface Waiting<B, P> {
  /** The slot that it has now. Rejects with `queue_timeout`, and with what it left for. */
  readonly granted: Promise<Slot<B, P>>;
  /** It waits no longer, if it still does. */
  leave(reason: ProxyError): void;
}

interface Waiter<B, P> {
  readonly fits: (backend: B) => boolean;
  readonly limits: QueueLimits;
  readonly until: number;
  readonly grant: (slot: Slot<B, P>) => void;
  readonly refuse: (error: ProxyError) => void;
}

/** What a queue needs of its cluster. */
export interface SlotQueueOptions<B> {
  readonly deadlines: Deadlines;
  /** Whose slots are waited for. */
  readonly backends: () => Iterable<B>;
}

/** The queue of one cluster. */
export class SlotQueue<B extends SlotHolder<P>, P> implements Expiring {
  /** Over as soon as somebody waits: each sweep looks for slots that other workers freed. */
  readonly deadline = 0;
  readonly #options: SlotQueueOptions<B>;
  readonly #waiters = new Set<Waiter<B, P>>();

  constructor(options: SlotQueueOptions<B>) {
    this.#options = options;
  }

  /** How many wait. */
  get length(): number {
    return this.#waiters.size;
  }

  /** Waits for a slot of one that fits. Throws `queue_full`. */
  wait(
    fits: (backend: B) => boolean,
    limits: QueueLimits,
  ): Waiting<B, P> {
    const { deadlines } = this.#options;
    if (this.#waiters.size >= limits.size) {
      throw new ProxyError(
        "queue_full",
        `${this.#waiters.size} requests wait for a slot already`,
      );
    }
    const { promise: granted, resolve, reject } = Promise.withResolvers<
      Slot<B, P>
    >();
    const waiter: Waiter<B, P> = {
      fits,
      limits,
      until: deadlines.after(limits.timeout),
      grant: resolve,
      refuse: reject,
    };
    if (this.#waiters.size === 0) deadlines.add(this);
    this.#waiters.add(waiter);
    return {
      granted,
      leave: (reason) => {
        if (this.#remove(waiter)) reject(reason);
      },
    };
  }

  /** A slot of this one is free: the first that it fits takes it. */
  freed(backend: B): void {
    for (const waiter of this.#waiters) {
      if (!waiter.fits(backend)) continue;
      const permit = backend.takeSlot();
      if (permit === undefined) return;
      this.#remove(waiter);
      waiter.grant({ backend, permit });
      return;
    }
  }

  /** A sweep: who waited too long is refused, who finds a slot has it. */
  expire(): void {
    const { deadlines } = this.#options;
    for (const waiter of this.#waiters) {
      const slot = this.#take(waiter);
      if (slot !== undefined) {
        this.#remove(waiter);
        waiter.grant(slot);
      } else if (waiter.until <= deadlines.now) {
        this.#remove(waiter);
        waiter.refuse(
          new ProxyError(
            "queue_timeout",
            `No slot was free within ${waiter.limits.timeout} ms`,
          ),
        );
      }
    }
  }

  #take({ fits }: Waiter<B, P>): Slot<B, P> | undefined {
    for (const backend of this.#options.backends()) {
      if (!fits(backend)) continue;
      const permit = backend.takeSlot();
      if (permit !== undefined) return { backend, permit };
    }
    return undefined;
  }

  #remove(waiter: Waiter<B, P>): boolean {
    if (!this.#waiters.delete(waiter)) return false;
    if (this.#waiters.size === 0) this.#options.deadlines.delete(this);
    return true;
  }
}
