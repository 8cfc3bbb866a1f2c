/**
 * What one worker asks of another that owns keys, and what it is told: answers
 * by number, bodies by the number of what they are for.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { FailureCode } from "../errors.ts";
import type { Clock } from "../net/clock.ts";
import { OwnerMemory } from "./owner_memory.ts";
import type {
  Ask,
  ClaimAnswer,
  Listing,
  PurgeAnswer,
  Tell,
  WireEntry,
  WireResult,
} from "./protocol.ts";
import { drop, type Piece } from "./slab.ts";

/** Milliseconds between two looks at whether the owner still answers. */
const TICK = 250;
/** Looks without a word after which it is asked whether it is there, and after which it is taken for hung. */
const PING_AFTER = 2;
const HUNG_AFTER = 6;

/** Who hears what belongs to one number. */
export interface Listener {
  /** What a wait came to. */
  result?(result: WireResult): void;
  bytes?(pieces: readonly Piece[], last: boolean): void;
  broken?(error: ProxyError): void;
  taken?(count: number): void;
  stop?(): void;
  doomed?(): void;
  /** The owner does not answer: it may come back. */
  hung?(): void;
  /** The owner is gone. */
  lost(): void;
}

/** What asks are answered. */
interface Answers {
  readonly find: Listing;
  readonly claim: ClaimAnswer;
  readonly join: boolean;
  readonly update: WireEntry | undefined;
  readonly remove: undefined;
  readonly purge: PurgeAnswer;
  readonly refresh: boolean;
  readonly ping: true;
}

/** The rest of an ask. */
type Parts<A extends keyof Answers> = Omit<
  Extract<Ask, { ask: A }>,
  "ask" | "id"
>;

/** One owner. */
export class Asker {
  readonly #post: (message: Ask, transfer?: Transferable[]) => void;
  readonly #clock: Clock;
  /** Copies bytes for the owner. */
  readonly pack: (bytes: Uint8Array) => Piece[];
  readonly #pending = new Map<number, (value: unknown) => void>();
  readonly #listeners = new Map<number, Listener>();
  /** Listeners that wait for a result. */
  readonly #waits = new Set<number>();
  #memory: OwnerMemory | undefined;
  #ids = 0;
  #lost = false;
  #hung = false;
  /** Looks since it said something. */
  #silent = 0;
  #cancelWatch: (() => void) | undefined;

  constructor(
    post: (message: Ask, transfer?: Transferable[]) => void,
    clock: Clock,
    pack: (bytes: Uint8Array) => Piece[],
  ) {
    this.pack = pack;
    this.#post = post;
    this.#clock = clock;
  }

  /** The owner's memory; undefined where it can't be asked: not yet, not now, or no more. */
  get memory(): OwnerMemory | undefined {
    return this.#hung ? undefined : this.#memory;
  }

  /** The same, where the owner does not answer now: its copies still hold. */
  get lastMemory(): OwnerMemory | undefined {
    return this.#memory;
  }

  /** A number for what has several messages. */
  number(): number {
    return ++this.#ids;
  }

  /** Says what is not answered. Nothing happens where the owner is gone. */
  say(message: Ask, transfer?: Transferable[]): void {
    if (!this.#lost) this.#post(message, transfer);
  }

  /** Asks; undefined where the owner is gone or hangs, does so before it answers, or fails at it. Never rejects. */
  ask<A extends keyof Answers>(
    ask: A,
    parts: Parts<A>,
    id = this.number(),
  ): Promise<Answers[A] | undefined> {
    if (this.memory === undefined) return LOST;
    return new Promise((resolve) => {
      this.#pending.set(id, resolve as (value: unknown) => void);
      this.#watch();
      this.#post({ ask, id, ...parts } as unknown as Ask);
    });
  }

  /** Has all that comes for a number told. */
  listen(id: number, listener: Listener): void {
    this.#listeners.set(id, listener);
    if (listener.result === undefined) this.#waits.delete(id);
    else {
      this.#waits.add(id);
      this.#watch();
    }
  }

  /** Nothing of a number is wanted any more. */
  forget(id: number): void {
    this.#listeners.delete(id);
    this.#waits.delete(id);
  }

  /** What the owner tells. */
  told(tell: Tell): void {
    this.#silent = 0;
    this.#hung = false;
    if (tell.tell === "hello") {
      this.#memory = new OwnerMemory(tell.memory);
      return;
    }
    if (tell.tell === "slab") return;
    const { id } = tell;
    if (tell.tell === "answer") {
      const resolve = this.#pending.get(id);
      this.#pending.delete(id);
      resolve?.(tell.value);
      return;
    }
    const listener = this.#listeners.get(id);
    switch (tell.tell) {
      case "result":
        this.#waits.delete(id);
        return listener?.result?.(tell.result);
      case "bytes":
        if (listener?.bytes === undefined) drop(tell.pieces);
        else listener.bytes(tell.pieces, tell.last);
        return;
      case "broken":
        return listener?.broken?.(errorOf(tell));
      case "taken":
        return listener?.taken?.(tell.count);
      case "stop":
        return listener?.stop?.();
      case "doomed":
        return listener?.doomed?.();
    }
  }

  /** The owner is gone for good. */
  lose(): void {
    this.#lost = true;
    this.#memory = undefined;
    this.#cancelWatch?.();
    this.#cancelWatch = undefined;
    this.#failPending();
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    this.#waits.clear();
    for (const listener of listeners) listener.lost();
  }

  /** Counts looks and not time: after a pause of this worker all answers are late, and the owner is not to blame. */
  #watch(): void {
    if (this.#cancelWatch !== undefined || this.#lost) return;
    this.#silent = 0;
    this.#cancelWatch = this.#clock.every(TICK, () => this.#look());
  }

  #look(): void {
    if (this.#pending.size === 0 && this.#waits.size === 0) {
      this.#cancelWatch?.();
      this.#cancelWatch = undefined;
      return;
    }
    this.#silent++;
    if (this.#silent === PING_AFTER) {
      this.#post({ ask: "ping", id: this.number() });
    } else if (this.#silent >= HUNG_AFTER) this.#hang();
  }

  /** It may come back: bodies that it brings wait for that, requests don't. */
  #hang(): void {
    this.#hung = true;
    this.#failPending();
    for (const id of this.#waits) {
      this.#post({ ask: "leave", id });
      this.#listeners.get(id)?.result?.({ kind: "again" });
    }
    this.#waits.clear();
    for (const listener of [...this.#listeners.values()]) listener.hung?.();
  }

  #failPending(): void {
    for (const [id, resolve] of this.#pending) {
      // What it granted is given back when it comes to answer.
      if (!this.#lost) this.#post({ ask: "leave", id });
      resolve(undefined);
    }
    this.#pending.clear();
  }
}

const LOST = Promise.resolve(undefined);

/** A failure that another worker tells of. */
export function errorOf(
  { code, message }: { readonly code: FailureCode; readonly message: string },
): ProxyError {
  return new ProxyError(code, message);
}

/** The owner is gone in the middle of something. */
export function ownerLost(): ProxyError {
  return new ProxyError(
    "cache_failed",
    "The worker that stores the response is gone",
  );
}
