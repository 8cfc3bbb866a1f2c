/**
 * The shared memory of one failure gate: the failures in a row, and one word for
 * its state and the time that belongs to it, so that both change at once.
 *
 * @module
 */

/** The word of a gate that lets everything through. */
export const CLOSED = 0n;

/** State and time of a gate; equal words are the same state of the same time. */
export type GateWord = bigint;

/** What the two lowest bits of a word say. */
export type GatePhase = "closed" | "open" | "trial" | "waiting";

const PHASES: readonly GatePhase[] = ["closed", "open", "trial", "waiting"];

/** A word of a phase with its time, in milliseconds since the epoch. */
export function gateWord(
  phase: Exclude<GatePhase, "closed">,
  time: number,
): GateWord {
  return BigInt(Math.round(time)) << 2n | BigInt(PHASES.indexOf(phase));
}

/** The phase that a word says. */
export function phaseOf(word: GateWord): GatePhase {
  return PHASES[Number(word & 3n)]!;
}

/** The time that a word says, in milliseconds since the epoch; 0 for a closed one. */
export function timeOf(word: GateWord): number {
  return Number(word >> 2n);
}

/** Typed access to it. */
export class GateCells {
  readonly #ints: Int32Array;
  readonly #longs: BigInt64Array;
  readonly #failures: number;
  readonly #word: number;

  /** The places of its Int32 and, counted in theirs, of its BigInt64. */
  constructor(
    ints: Int32Array,
    longs: BigInt64Array,
    failures: number,
    word: number,
  ) {
    this.#ints = ints;
    this.#longs = longs;
    this.#failures = failures;
    this.#word = word;
  }

  /**
   * Whether the word is {@linkcode CLOSED}, without a BigInt being made: its
   * lower half holds the phase (Deno runs on little-endian machines only).
   */
  get isClosed(): boolean {
    return this.#ints[this.#word * 2] === 0;
  }

  get word(): GateWord {
    return Atomics.load(this.#longs, this.#word);
  }

  /** Puts `to` in the place of `from`; false where another worker was faster. */
  replace(from: GateWord, to: GateWord): boolean {
    return Atomics.compareExchange(this.#longs, this.#word, from, to) === from;
  }

  /** Closes it; whether it was not closed. */
  close(): boolean {
    this.clearFailures();
    return Atomics.exchange(this.#longs, this.#word, CLOSED) !== CLOSED;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#ints[this.#failures]!;
  }

  /** Counts one more; how many there are then. */
  addFailure(): number {
    return Atomics.add(this.#ints, this.#failures, 1) + 1;
  }

  clearFailures(): void {
    Atomics.store(this.#ints, this.#failures, 0);
  }
}
