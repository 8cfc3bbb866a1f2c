/**
 * A gate before a backend: failures in a row open it, so that nothing goes
 * there for a while; then one trial at a time, over all workers, tells whether
 * it closes again. Passive health and the circuit breaker are one each.
 *
 *     closed ──failures in a row──▶ open ──rest over──▶ trial ──success──▶ closed
 *                                    ▲                   │ │
 *                                    └──────failure──────┘ └─no result─▶ waiting ─▶ trial
 *
 * @module
 */
import {
  CLOSED,
  type GateCells,
  type GateWord,
  gateWord,
  phaseOf,
  timeOf,
} from "./gate_cells.ts";

/** When it opens, and for how long. */
export interface GateSettings {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Milliseconds until a trial may come. After a trial that says nothing for as long another one may. */
  readonly rest: number;
}

/** Its state for people. */
export type GateState = "closed" | "open" | "half-open";

/** Which of a backend's gates. */
export type GateKind = "passive" | "breaker";

/** What an attempt got at a gate, to be handed back with its result; {@linkcode CLOSED} for one that is no trial. */
export type Ticket = GateWord;

/** How an attempt may pass. */
export interface Passage {
  readonly ticket: Ticket;
  /** Whether it is the first trial since the gate opened. */
  readonly first: boolean;
}

const FREE_PASSAGE: Passage = Object.freeze({ ticket: CLOSED, first: false });

/** One gate in one worker. */
export class FailureGate {
  readonly kind: GateKind;
  readonly settings: GateSettings;
  readonly #cells: GateCells;

  constructor(kind: GateKind, cells: GateCells, settings: GateSettings) {
    this.kind = kind;
    this.#cells = cells;
    this.settings = settings;
  }

  /** Whether everything may pass. */
  get isClosed(): boolean {
    return this.#cells.isClosed;
  }

  /** Whether an attempt may pass, as a trial where it is not closed. */
  admits(now: number): boolean {
    return this.#cells.isClosed || this.#left(this.#cells.word, now) === 0;
  }

  /** When time alone will make it admit somebody, in milliseconds since the epoch; Infinity where it does now or time changes nothing. */
  changesAt(now: number): number {
    if (this.#cells.isClosed) return Infinity;
    const left = this.#left(this.#cells.word, now);
    return left === 0 ? Infinity : now + left;
  }

  state(now: number): GateState {
    if (this.#cells.isClosed) return "closed";
    const { word } = this.#cells;
    const resting = phaseOf(word) === "open" && this.#left(word, now) > 0;
    return resting ? "open" : "half-open";
  }

  /** Failures in a row so far. */
  get failures(): number {
    return this.#cells.failures;
  }

  /**
   * Passes, as the trial where it is not closed; undefined where nobody may: it
   * rests, or another trial is out.
   */
  pass(now: number): Passage | undefined {
    const { word } = this.#cells;
    if (word === CLOSED) return FREE_PASSAGE;
    if (this.#left(word, now) > 0) return undefined;
    const ticket = gateWord("trial", now + this.settings.rest);
    if (!this.#cells.replace(word, ticket)) return undefined;
    return { ticket, first: phaseOf(word) === "open" };
  }

  /** A success; whether it closed the gate. */
  succeed(ticket: Ticket): boolean {
    const cells = this.#cells;
    if (ticket === CLOSED) {
      // An attempt from before it opened says nothing of the backend now.
      if (cells.failures !== 0 && cells.isClosed) cells.clearFailures();
      return false;
    }
    const { word } = cells;
    // Another trial may be out by now, as this one took longer than a rest: its
    // success is as good. Not where that one failed meanwhile.
    const phase = phaseOf(word);
    if (phase !== "trial" && phase !== "waiting") return false;
    // Before it closes: none can be counted until then.
    cells.clearFailures();
    return cells.replace(word, CLOSED);
  }

  /** A failure; whether it opened the gate, for the first time or again. */
  fail(ticket: Ticket, now: number): boolean {
    const cells = this.#cells;
    const open = gateWord("open", now + this.settings.rest);
    if (ticket !== CLOSED) return cells.replace(ticket, open);
    if (!cells.isClosed) return false;
    if (cells.addFailure() < this.settings.failures) return false;
    return cells.replace(CLOSED, open);
  }

  /** The trial ended: the next attempt may be it, where this one had no result; whether it had none. */
  release(ticket: Ticket, now: number): boolean {
    return ticket !== CLOSED &&
      this.#cells.replace(ticket, gateWord("waiting", now));
  }

  /** Closes it whatever it is; whether it was not closed. */
  close(): boolean {
    return this.#cells.close();
  }

  /**
   * Milliseconds that nobody may pass. More than the rest can't be left: the
   * machine's clock was set back, or a reload made the rest shorter.
   */
  #left(word: GateWord, now: number): number {
    const left = timeOf(word) - now;
    return left > 0 && left <= this.settings.rest ? left : 0;
  }
}
