/**
 * Attempts that wait for a backend's free slot, first come first served.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";

/** What has a bounded number of slots. */
export interface SlotHolder {
  /** Takes a slot; false where none is free. */
  takeSlot(): boolean;
}

/** How long a queue may get. */
export interface QueueLimits {
  /** How many may wait. */
  readonly size: number;
  /** Milliseconds that one waits. */
  readonly timeout: number;
}

/** One that waits. */
export interface Waiting<B> {
  /** The one whose slot it has now. Rejects with `queue_timeout`. */
  readonly granted: Promise<B>;
  /** It waits no longer; `granted` stays as it is. */
  leave(): void;
}

interface Waiter<B> {
  readonly fits: (backend: B) => boolean;
  readonly until: number;
  readonly grant: (backend: B) => void;
  readonly refuse: (error: ProxyError) => void;
}

/** What a queue needs of its cluster. */
export interface SlotQueueOptions<B> {
  readonly deadlines: Deadlines;
  readonly limits: QueueLimits;
  /** Whose slots are waited for. */
  readonly backends: () => Iterable<B>;
}

/** The queue of one cluster. */
export class SlotQueue<B extends SlotHolder> implements Expiring {
  /** Over as soon as somebody waits: each sweep looks for slots that other workers freed. */
  readonly deadline = 0;
  readonly #options: SlotQueueOptions<B>;
  readonly #waiters = new Set<Waiter<B>>();

  constructor(options: SlotQueueOptions<B>) {
    this.#options = options;
  }

  /** How many wait. */
  get length(): number {
    return this.#waiters.size;
  }

  /** Waits for a slot of one that fits. Throws `queue_full`. */
  wait(fits: (backend: B) => boolean): Waiting<B> {
    const { deadlines, limits } = this.#options;
    if (this.#waiters.size >= limits.size) {
      throw new ProxyError(
        "queue_full",
        `${this.#waiters.size} requests wait for a slot already`,
      );
    }
    const { promise: granted, resolve, reject } = Promise.withResolvers<B>();
    const waiter: Waiter<B> = {
      fits,
      until: deadlines.after(limits.timeout),
      grant: resolve,
      refuse: reject,
    };
    if (this.#waiters.size === 0) deadlines.add(this);
    this.#waiters.add(waiter);
    return { granted, leave: () => this.#remove(waiter) };
  }

  /** A slot of this one is free: the first that it fits takes it. */
  freed(backend: B): void {
    for (const waiter of this.#waiters) {
      if (!waiter.fits(backend)) continue;
      if (!backend.takeSlot()) return;
      this.#remove(waiter);
      waiter.grant(backend);
      return;
    }
  }

  /** A sweep: who waited too long is refused, who finds a slot has it. */
  expire(): void {
    const { deadlines, limits } = this.#options;
    for (const waiter of this.#waiters) {
      const backend = this.#take(waiter);
      if (backend !== undefined) {
        this.#remove(waiter);
        waiter.grant(backend);
      } else if (waiter.until <= deadlines.now) {
        this.#remove(waiter);
        waiter.refuse(
          new ProxyError(
            "queue_timeout",
            `No slot was free within ${limits.timeout} ms`,
          ),
        );
      }
    }
  }

  #take({ fits }: Waiter<B>): B | undefined {
    for (const backend of this.#options.backends()) {
      if (fits(backend) && backend.takeSlot()) return backend;
    }
    return undefined;
  }

  #remove(waiter: Waiter<B>): void {
    if (this.#waiters.delete(waiter) && this.#waiters.size === 0) {
      this.#options.deadlines.delete(this);
    }
  }
}
