/**
 * Why a proxy that has rested is fast at once.
 *
 * Some 8 s after the work ends V8 collects garbage to give memory back, and then
 * drops the hidden class of each kind of object of which none is alive, and with
 * it the compiled code of all functions that know the class: after 10 s without
 * a request that of 136 functions on a request's way (`--trace-deopt`: "embedded
 * weak objects cleared"). So what some of the last requests and relays were made
 * of stays alive; not what plugins gave them, which is let go in time.
 *
 * @module
 */
import type { Deadlines } from "../net/deadlines.ts";
import type { Session } from "./session.ts";

/** How many are kept: of different kinds, where there are any. */
const KEPT = 8;

interface Specimen {
  readonly session: Session;
  readonly whole: object;
}

/** What some of a data plane's last requests and relays were made of. */
export class Specimens {
  readonly #deadlines: Deadlines;
  readonly #kept: Specimen[] = [];
  #next = 0;
  /** When one was chosen last. */
  #chosenAt = -1;

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  /** Whether the caller's is to be kept once it is over: one between two sweeps. */
  choose(): boolean {
    const { now } = this.#deadlines;
    if (this.#chosenAt === now) return false;
    this.#chosenAt = now;
    return true;
  }

  /** Keeps a part of a session, with all that it refers to, in the place of the oldest. */
  keep(session: Session, whole: object): void {
    this.#kept[this.#next] = { session, whole };
    this.#next = (this.#next + 1) % KEPT;
  }

  /** Lets go of a session that is over. */
  forget(session: Session): void {
    const others = this.#kept.filter((each) => each.session !== session);
    this.#kept.splice(0, KEPT, ...others);
    this.#next = others.length % KEPT;
  }

  /** Lets go of all: what they refer to, a config and its plugins, is over. */
  clear(): void {
    this.#kept.length = 0;
    this.#next = 0;
  }
}
