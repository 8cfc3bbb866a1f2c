/**
 * How a session leaves a backend that still works: nothing more is sent to it,
 * and what it owes is waited for before it is closed.
 *
 * Nobody can know what a backend still has to say. It is taken to be done when
 * it has read everything (its fence was answered) and then
 *
 * - has answered each message with one, and never says a thing unasked;
 * - or has been quiet for much longer than its answers take;
 * - or, where it does talk unasked, so that its messages tell nothing of what it
 *   owes, has had that much longer time since it was last asked.
 *
 * In all but the first case a second fence follows: whoever was stopped in that
 * time has had none of it.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { Clock } from "../net/clock.ts";
import { type BackendSide, STALLED } from "./backend_side.ts";

/** What leaving goes by. */
export interface LeavingOptions {
  readonly clock: Clock;
  /** Milliseconds that it may take in all. */
  readonly drain: number;
  /** For how long it has been silent already, in milliseconds. */
  readonly silence: number;
  /** Its fence was answered, or never will be: what it has not read may go to another. */
  readonly onRead: () => void;
}

/** An answer is waited for at least so long, in milliseconds: ten times what a backend thinks that thinks for 20 ms. */
const QUIET = 200;

/** Behind the last answer, in milliseconds: a second one may follow the first. */
const SETTLE = 5;

/** So many answers show that it answers each message with one. */
const KNOWN_BY = 8;

/** One that said something unasked within so many milliseconds may do so again. */
const TALKS = 10_000;

/** A backend that is being left. */
export class Leaving {
  readonly side: BackendSide;
  readonly #options: LeavingOptions;
  readonly #cancelDrain: () => void;
  #cancelCheck: (() => void) | undefined;
  #read = false;
  /** The second fence is put. */
  #fencedAgain = false;
  #closing = false;
  #lastHeard: number;
  readonly #since: number;

  /** Puts the fence: everything was sent that it is to get. */
  constructor(side: BackendSide, options: LeavingOptions) {
    this.side = side;
    this.#options = options;
    const { clock, drain, silence } = options;
    this.#since = clock.now();
    this.#lastHeard = this.#since - silence;
    this.#cancelDrain = clock.after(drain, () => this.#giveUp("drain is over"));
    this.#fence();
    this.#check();
  }

  /** Whether it has read all that it was sent. */
  get hasRead(): boolean {
    return this.#read;
  }

  /** Its fence was answered. */
  fenceAnswered(): void {
    if (this.#fencedAgain) {
      this.#fencedAgain = false;
      // What came before the answer may have shown that more is to come.
      if (this.#wait(this.#options.clock.now()) <= 0) this.#close();
      return;
    }
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
    const wait = this.#wait(now);
    if (wait > 0) this.#checkIn(wait);
    else if (this.#isExact(now)) this.#close();
    else if (!this.#fencedAgain) {
      this.#fencedAgain = true;
      this.#fence();
      this.#checkIn(STALLED);
    } else if (quiet >= STALLED) this.#giveUp("it reads nothing");
    else this.#checkIn(STALLED - quiet);
  }

  /** Whether each message that comes from it is an answer, and none is missing. */
  #isExact(now: number): boolean {
    const { owed, received, unaskedAt } = this.side;
    return owed === 0 && received >= KNOWN_BY && now - unaskedAt >= TALKS;
  }

  /** Milliseconds in which it may still have something to say. */
  #wait(now: number): number {
    const { owed, answerTime, unaskedAt } = this.side;
    const quiet = now - this.#lastHeard;
    if (this.#isExact(now)) return SETTLE - quiet;
    const patience = Math.max(QUIET, 3 * answerTime);
    if (now - unaskedAt < TALKS) return patience - (now - this.#since);
    return owed > 0
      ? patience - quiet
      : SETTLE + 2 * answerTime - (now - this.#since);
  }

  #fence(): void {
    this.side.putFence(this.#options.clock.now());
    this.side.link.flush();
  }

  #close(): void {
    if (this.#closing || this.side.over) return;
    this.#closing = true;
    this.#cancelCheck?.();
    this.side.link.close(1000, "");
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
