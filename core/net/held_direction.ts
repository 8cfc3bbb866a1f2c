/**
 * A direction that is held: its bytes are read but nothing leaves until its
 * analysers are done with them, one after another. When none is left the
 * direction is autonomous (HAProxy's early design notes).
 *
 * @module
 */
import type { FailureCode } from "../errors.ts";
import { HEADROOM } from "../message/body.ts";
import type { Socket } from "./socket.ts";

/**
 * Judges what a direction holds: a function over the buffer that never waits.
 * To answer with a status it throws the ProxyError that has it.
 */
export interface Analyser {
  /** `done` lets the next analyser look, `more` waits for bytes. */
  analyse(): "done" | "more";
  /** Throws what it means that the peer ended its direction before this was done. */
  ended(): never;
  /** Throws what it means that no buffer is large enough. */
  full(): never;
  /** Milliseconds that it may wait from its first `more` on, and what a longer wait is called; undefined where its owner sees to that. */
  readonly deadline:
    | { readonly milliseconds: number; readonly code: FailureCode }
    | undefined;
}

/** Options of a held direction. */
export interface HoldOptions<T> {
  /** Whether a deadline ends the wait and leaves the connection open, so that it can be answered. */
  readonly interruptible: boolean;
  /** What its release gives. */
  readonly released: () => T;
}

/** The inbound direction of a socket with its analysers. */
export class HeldDirection<T> {
  readonly #socket: Socket;
  readonly #options: HoldOptions<T>;
  #analysers: readonly Analyser[] = [];
  #at = 0;
  /** Whose deadline runs. */
  #armed: Analyser | undefined;

  constructor(socket: Socket, options: HoldOptions<T>) {
    this.#socket = socket;
    this.#options = options;
  }

  /** Whether nothing holds it. */
  get autonomous(): boolean {
    return this.#at === this.#analysers.length;
  }

  /** Holds it for these analysers, in their order. */
  hold(analysers: readonly Analyser[]): void {
    this.#analysers = analysers;
    this.#at = 0;
  }

  /** Takes an analyser out: what it waits for is not wanted any more. */
  bypass(analyser: Analyser): void {
    const index = this.#analysers.indexOf(analyser);
    if (index < this.#at) return;
    this.#analysers = this.#analysers.filter((each) => each !== analyser);
  }

  /**
   * Runs the analysers until the direction is autonomous; a promise only where
   * they wait for bytes. Throws or rejects with a ProxyError.
   */
  release(): T | Promise<T> {
    if (this.#look()) return this.#options.released();
    this.#armed = undefined;
    return this.#fill().then(this.#filled);
  }

  /** No async function: most heads come in one read, and a frame costs more than the look at them. */
  readonly #filled = (more: boolean): T | Promise<T> =>
    this.#lookAgain(more) ? this.#end() : this.#goOn();

  async #goOn(): Promise<T> {
    while (!this.#lookAgain(await this.#fill())) { /* until it is enough */ }
    return this.#end();
  }

  #end(): T {
    this.#socket.disarmRead();
    return this.#options.released();
  }

  /** Whether all that is held satisfies all analysers. */
  #look(): boolean {
    while (!this.autonomous) {
      if (this.#analysers[this.#at]!.analyse() === "more") return false;
      this.#at++;
    }
    return true;
  }

  #lookAgain(more: boolean): boolean {
    if (!more) this.#analysers[this.#at]!.ended();
    return this.#look();
  }

  /** Waits for bytes; each analyser's deadline runs from its first wait on. Throws or rejects with a ProxyError. */
  #fill(): Promise<boolean> {
    const socket = this.#socket;
    const analyser = this.#analysers[this.#at]!;
    if (analyser !== this.#armed) this.#arm(analyser);
    // In the largest buffer there may be room before what is held: a fill makes
    // it. How much streams have of these is no fault of who sends a head.
    if (
      socket.end === socket.bytes.length && !socket.enlarge({ whole: true }) &&
      socket.start <= HEADROOM
    ) analyser.full();
    return this.#options.interruptible
      ? socket.fillInterruptibly()
      : socket.fill();
  }

  #arm(analyser: Analyser): void {
    this.#armed = analyser;
    const { deadline } = analyser;
    if (deadline === undefined) return;
    this.#socket.armRead(deadline.milliseconds, deadline.code);
  }
}
