/**
 * Runs a pattern's program over a subject without making states: for patterns
 * whose states are too many to be kept. Each character costs one visit of each
 * step at most, and nothing is allocated for it.
 *
 * @module
 */
import type { Program } from "./pattern_program.ts";

/** What a character is to a program. */
export interface CharacterFacts {
  /** By the atom's number, 1 where it accepts the character. */
  readonly accepted: Uint8Array;
  /** Whether it belongs to a word, where a step asks for that. */
  readonly word: boolean;
}

/** Where a run begins. */
export interface SimulationStart {
  readonly steps: readonly number[];
  readonly atStart: boolean;
  readonly afterWord: boolean;
  /** Whether the pattern can begin at the subject's start only. */
  readonly anchored: boolean;
}

/** Kinds of steps as numbers. */
const MATCH = 0;
const ATOM = 1;
const FORK = 2;
const START = 3;
const END = 4;
const BOUNDARY = 5;
const NO_BOUNDARY = 6;

const PLACES = {
  start: START,
  end: END,
  wordBoundary: BOUNDARY,
  noWordBoundary: NO_BOUNDARY,
};

/** A program in numbers, and sets of steps that are kept from run to run. */
export class PatternSimulation {
  readonly #kinds: Uint8Array;
  /** An atom's number, or where a fork leads. */
  readonly #firsts: Int32Array;
  readonly #seconds: Int32Array;
  readonly #visited: Uint32Array;
  #visit = 0;
  readonly #pending: Int32Array;
  readonly #current: Int32Array;
  #currentCount = 0;
  readonly #reached: Int32Array;
  #reachedCount = 0;

  constructor({ steps }: Program) {
    const size = steps.length;
    this.#kinds = new Uint8Array(size);
    this.#firsts = new Int32Array(size);
    this.#seconds = new Int32Array(size);
    steps.forEach((step, i) => {
      if (step.kind === "atom") {
        this.#kinds[i] = ATOM;
        this.#firsts[i] = step.atom;
      } else if (step.kind === "fork") {
        this.#kinds[i] = FORK;
        this.#firsts[i] = step.first;
        this.#seconds[i] = step.second;
      } else if (step.kind === "assert") {
        this.#kinds[i] = PLACES[step.place];
      }
    });
    this.#visited = new Uint32Array(size);
    // A step may wait more than once before it is visited, but each one that is
    // visited lets two wait at most.
    this.#pending = new Int32Array(2 * size + 1);
    this.#current = new Int32Array(size + 1);
    this.#reached = new Int32Array(size);
  }

  /** Whether the program matches in `subject` from `at` on. */
  test(
    subject: string,
    at: number,
    start: SimulationStart,
    classify: (code: number) => CharacterFacts,
  ): boolean {
    this.#currentCount = 0;
    for (const step of start.steps) this.#current[this.#currentCount++] = step;
    let { atStart, afterWord } = start;
    while (at < subject.length) {
      const code = subject.codePointAt(at)!;
      at += code > 0xffff ? 2 : 1;
      const { accepted, word } = classify(code);
      if (this.#close(atStart, false, afterWord !== word)) return true;
      this.#advance(accepted, start.anchored);
      if (this.#currentCount === 0) return false;
      atStart = false;
      afterWord = word;
    }
    return this.#close(atStart, true, afterWord);
  }

  /** The steps behind the atoms that accept a character; unanchored it may begin anew. */
  #advance(accepted: Uint8Array, anchored: boolean): void {
    const [reached, current] = [this.#reached, this.#current];
    let count = 0;
    if (!anchored) current[count++] = 0;
    for (let i = 0; i < this.#reachedCount; i++) {
      const at = reached[i]!;
      if (accepted[this.#firsts[at]!] === 1) current[count++] = at + 1;
    }
    this.#currentCount = count;
  }

  /** Follows forks and places from the current steps to those that take a character; true where it matched. */
  #close(start: boolean, end: boolean, boundary: boolean): boolean {
    const visit = this.#nextVisit();
    const [kinds, visited, pending, reached] = [
      this.#kinds,
      this.#visited,
      this.#pending,
      this.#reached,
    ];
    let reachedCount = 0;
    for (let i = 0; i < this.#currentCount; i++) {
      pending[0] = this.#current[i]!;
      for (let waiting = 1; waiting > 0;) {
        const at = pending[--waiting]!;
        if (visited[at] === visit) continue;
        visited[at] = visit;
        switch (kinds[at]) {
          case MATCH:
            return true;
          case ATOM:
            reached[reachedCount++] = at;
            continue;
          case FORK:
            pending[waiting++] = this.#seconds[at]!;
            pending[waiting++] = this.#firsts[at]!;
            continue;
          case START:
            if (!start) continue;
            break;
          case END:
            if (!end) continue;
            break;
          case BOUNDARY:
            if (!boundary) continue;
            break;
          case NO_BOUNDARY:
            if (boundary) continue;
        }
        pending[waiting++] = at + 1;
      }
    }
    this.#reachedCount = reachedCount;
    return false;
  }

  #nextVisit(): number {
    // A mark of 2³² closings ago would pass for a new one.
    if (this.#visit === 0xffff_ffff) {
      this.#visited.fill(0);
      this.#visit = 0;
    }
    return ++this.#visit;
  }
}
