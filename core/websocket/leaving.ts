/**
 * How a session leaves a backend that still works: nothing more is sent to it,
 * and what it owes is waited for before it is closed.
 *
 * Nobody can know what a backend still has to say. It is taken to be done when
 * it has read everything (its fence was answered) and as many messages came
 * back as went to it, or when it has been quiet for much longer than its answers
 * take.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { Clock } from "../net/clock.ts";
import type { BackendSide } from "./backend_side.ts";

/** What leaving goes by. */
export interface LeavingOptions {
  readonly clock: Clock;
  /** Milliseconds that it may take in all. */
  readonly drain: number;
  /** Its fence was answered, or never will be: what it has not read may go to another. */
  readonly onRead: () => void;
}

/** One whose fence is not answered and that says nothing for so long is stalled, in milliseconds. */
const STALLED = 1_000;

/** An answer is waited for at least so long, in milliseconds. */
const QUIET = 200;

/** Behind the last message that went to it, at least so long, in milliseconds: a second answer may follow the first. */
const SETTLE = 5;

/** A backend that is being left. */
export class Leaving {
  readonly side: BackendSide;
  readonly #options: LeavingOptions;
  readonly #cancelDrain: () => void;
  #cancelCheck: (() => void) | undefined;
  #read = false;
  #closing = false;
  #lastHeard: number;
  readonly #since: number;

  /** Puts the fence: everything was sent that it is to get. */
  constructor(side: BackendSide, options: LeavingOptions) {
    this.side = side;
    this.#options = options;
    const { clock, drain } = options;
    this.#since = this.#lastHeard = clock.now();
    this.#cancelDrain = clock.after(drain, () => this.#giveUp("drain is over"));
    side.putFence(this.#since);
    side.link.flush();
    this.#checkIn(STALLED);
  }

  /** Whether it has read all that it was sent. */
  get hasRead(): boolean {
    return this.#read;
  }

  /** Its fence was answered. */
  fenceAnswered(): void {
    this.#read = true;
    this.#options.onRead();
    this.heard();
  }

  /** Something came from it. */
  heard(): void {
    this.#lastHeard = this.#options.clock.now();
    this.#check();
  }

  /** It is over, or nobody waits for it any more. */
  end(): void {
    this.#cancelDrain();
    this.#cancelCheck?.();
    this.#cancelCheck = undefined;
  }

  #check(): void {
    if (this.#closing || this.side.over) return;
    const now = this.#options.clock.now();
    if (!this.side.link.listening) {
      // The client is slow: its backend's silence is ours.
      this.#lastHeard = now;
      this.#checkIn(QUIET);
      return;
    }
    const quiet = now - this.#lastHeard;
    if (!this.#read) {
      if (quiet >= STALLED) this.#giveUp("it reads nothing");
      else this.#checkIn(STALLED - quiet);
      return;
    }
    const { side } = this;
    const patience = Math.max(QUIET, 3 * side.answerTime);
    const wait = side.sent > side.received
      ? patience - quiet
      : SETTLE + 2 * side.answerTime - (now - this.#since);
    if (wait > 0) {
      this.#checkIn(wait);
      return;
    }
    this.#closing = true;
    this.#cancelCheck?.();
    side.link.close(1000, "");
  }

  #checkIn(milliseconds: number): void {
    this.#cancelCheck?.();
    this.#cancelCheck = this.#options.clock.after(
      milliseconds,
      () => this.#check(),
    );
  }

  #giveUp(reason: string): void {
    this.#closing = true;
    this.side.link.abort(
      new ProxyError("backend_silent", `The backend is left: ${reason}`),
    );
  }
}
