/**
 * Attempts that wait for a backend's free slot, first come first served.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { SlotLine } from "../health/slot_line.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import type { SeatCounts } from "../shared/seat_counts.ts";

/** What has a bounded number of slots. */
export interface SlotHolder<P> {
  /** Who waits for one of its slots in all workers; undefined where there is one worker only. */
  readonly line?: SlotLine | undefined;
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
  /** How many may wait, over all workers. */
  readonly size: number;
  /** Milliseconds that one waits. */
  readonly timeout: number;
  /** Counts them; left out where there is one worker only. */
  readonly fellows?: SeatCounts | undefined;
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
  /** Where it stands among those of other workers. */
  readonly lines: readonly SlotLine[];
}

/** What a queue needs of its cluster. */
export interface SlotQueueOptions<B> {
  readonly deadlines: Deadlines;
  /** Whose slots are waited for. */
  readonly backends: () => Iterable<B>;
}

/** The queue of one cluster. */
export class SlotQueue<B extends SlotHolder<P>, P> implements Expiring {
  place = NOWHERE;
  /** Over as soon as somebody waits: each sweep looks for slots that other workers freed. */
  readonly deadline = 0;
  readonly #options: SlotQueueOptions<B>;
  readonly #waiters = new Set<Waiter<B, P>>();
  /** Those whose calls are listened to. */
  readonly #listening = new Set<B>();

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
    const { size, fellows } = limits;
    const hasRoom = fellows?.enterBelow(size) ?? this.#waiters.size < size;
    if (!hasRoom) {
      const waiting = fellows?.open ?? this.#waiters.size;
      throw new ProxyError(
        "queue_full",
        `${waiting} requests wait for a slot already`,
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
      lines: this.#joinLines(fits),
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

  /** A slot of this one is free: who waits in another worker is called, else the first that it fits takes it. */
  freed(backend: B): void {
    const { line } = backend;
    if (line?.othersWait === true) line.call();
    else this.#offer(backend);
  }

  #offer(backend: B): void {
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

  #joinLines(fits: (backend: B) => boolean): SlotLine[] {
    const lines: SlotLine[] = [];
    for (const backend of this.#options.backends()) {
      const { line } = backend;
      if (line === undefined || !fits(backend)) continue;
      line.join();
      lines.push(line);
      if (!this.#listening.has(backend)) this.#listen(backend, line);
    }
    return lines;
  }

  /** Takes what other workers free, for as long as somebody waits for it. */
  async #listen(backend: B, line: SlotLine): Promise<void> {
    this.#listening.add(backend);
    do {
      await line.called();
      this.#offer(backend);
    } while (this.#waitsFor(line));
    this.#listening.delete(backend);
  }

  #waitsFor(line: SlotLine): boolean {
    for (const { lines } of this.#waiters) {
      if (lines.includes(line)) return true;
    }
    return false;
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
    for (const line of waiter.lines) line.leave();
    waiter.limits.fellows?.leave();
    if (this.#waiters.size === 0) this.#options.deadlines.delete(this);
    return true;
  }
}
