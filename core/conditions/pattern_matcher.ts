/**
 * Runs a pattern's program over a subject: a deterministic automaton that is
 * made while it runs, as RE2's. Every character is looked at once, whatever the
 * pattern: a backtracking matcher takes the cube of the length for `.*.*.*=`
 * (V8, measured: 6 s for 512 characters) and doubles per character for `(a+)+$`.
 *
 * @module
 */
import type { Program } from "./pattern_program.ts";
import {
  type CharacterFacts,
  PatternSimulation,
} from "./pattern_simulation.ts";

/** A set of steps that the program may be at, between two characters. */
interface State {
  /** Sorted; places are not yet judged, as they need the next character. */
  readonly steps: readonly number[];
  readonly atStart: boolean;
  /** Whether the last character belongs to a word; always false where no step asks. */
  readonly afterWord: boolean;
  /** Where each class of characters leads to, as far as known. */
  readonly next: (State | undefined)[];
  /** The answer, where no further character can change it. */
  readonly settled: boolean | undefined;
  /** The answer if the subject ends here, once asked for. */
  atEnd: boolean | undefined;
}

/** Characters that no atom tells apart. */
interface CharacterClass extends CharacterFacts {
  readonly number: number;
}

/** What is kept at most, so that no subject can fill the memory. */
const MAX_STATES = 512;
const MAX_CLASSES = 1_024;
const MAX_RARE = 4_096;
/**
 * So many characters are passed without making states before all states are
 * forgotten and made anew: one that is made costs 12 times as much as a
 * character without (measured with 900 steps: 50 µs and 4 µs).
 */
const SIMULATED_BEFORE_RESET = 262_144;

const MATCHED: State = settled(true);
const FAILED: State = settled(false);

/** Says whether a program matches somewhere in a subject. */
export class PatternMatcher {
  readonly #program: Program;
  readonly #classes: CharacterClass[] = [];
  readonly #classNumbers = new Map<string, number>();
  readonly #ascii = new Int16Array(128).fill(-1);
  readonly #rare = new Map<number, number>();
  readonly #states = new Map<string, State>();
  #start: State | undefined;
  #simulation: PatternSimulation | undefined;
  /** Characters passed without states since they were full. */
  #simulated = 0;
  /** Whether it can begin only at the start: there is an early no. */
  readonly #anchored: boolean;
  // Scratch of one closure, so that none is made per character.
  readonly #visited: Uint32Array;
  #visit = 0;
  readonly #reached: number[] = [];

  constructor(program: Program) {
    this.#program = program;
    this.#visited = new Uint32Array(program.steps.length + 1);
    this.#anchored = [false, true].every((end) =>
      [false, true].every((boundary) =>
        !this.#close([0], false, end, boundary) && this.#reached.length === 0
      )
    );
  }

  /** Whether it matches, in time proportional to the subject's length. */
  test(subject: string): boolean {
    if (this.#classes.length > MAX_CLASSES) this.#forgetClasses();
    let state = this.#start ??= this.#state([0], true, false)!;
    for (let i = 0; i < subject.length; i++) {
      const begin = i;
      let code = subject.charCodeAt(i);
      let number: number;
      if (code < 128) {
        number = this.#ascii[code] ?? -1;
        if (number < 0) number = this.#ascii[code] = this.#classify(code);
      } else {
        code = subject.codePointAt(i) ?? code;
        if (code > 0xffff) i++;
        number = this.#rareClass(code);
      }
      const next = state.next[number] ?? this.#step(state, number);
      if (next === undefined) return this.#simulate(subject, begin, state);
      if (next.settled !== undefined) return next.settled;
      state = next;
    }
    return state.atEnd ??= this.#close(
      state.steps,
      state.atStart,
      true,
      state.afterWord,
    );
  }

  /** The rest of a subject, where no further state is to be kept. */
  #simulate(subject: string, at: number, state: State): boolean {
    this.#simulated += subject.length - at;
    if (this.#simulated > SIMULATED_BEFORE_RESET) {
      this.#simulated = 0;
      this.#states.clear();
      this.#start = undefined;
    }
    this.#simulation ??= new PatternSimulation(this.#program);
    return this.#simulation.test(
      subject,
      at,
      { ...state, anchored: this.#anchored },
      (code) => this.#classOf(code),
    );
  }

  #classOf(code: number): CharacterClass {
    if (code >= 128) return this.#classes[this.#rareClass(code)]!;
    let number = this.#ascii[code] ?? -1;
    if (number < 0) number = this.#ascii[code] = this.#classify(code);
    return this.#classes[number]!;
  }

  /** States know classes by their numbers: both go. */
  #forgetClasses(): void {
    this.#classes.length = 0;
    this.#classNumbers.clear();
    this.#ascii.fill(-1);
    this.#rare.clear();
    this.#states.clear();
    this.#start = undefined;
  }

  #step(state: State, number: number): State | undefined {
    const next = this.#successor(state, this.#classes[number]!);
    if (next !== undefined) state.next[number] = next;
    return next;
  }

  /** Undefined for one more state than are kept. */
  #successor(state: State, character: CharacterClass): State | undefined {
    const boundary = state.afterWord !== character.word;
    if (this.#close(state.steps, state.atStart, false, boundary)) {
      return MATCHED;
    }
    const steps = new Set<number>();
    // It may begin at every character.
    if (!this.#anchored) steps.add(0);
    for (const at of this.#reached) {
      const step = this.#program.steps[at];
      if (step?.kind === "atom" && character.accepted[step.atom] === 1) {
        steps.add(at + 1);
      }
    }
    return steps.size === 0
      ? FAILED
      : this.#state([...steps].sort((a, b) => a - b), false, character.word);
  }

  #state(
    steps: readonly number[],
    atStart: boolean,
    afterWord: boolean,
  ): State | undefined {
    const key = `${atStart ? "^" : ""}${afterWord ? "w" : ""}${steps.join()}`;
    let state = this.#states.get(key);
    if (state !== undefined) return state;
    if (this.#states.size >= MAX_STATES) return undefined;
    state = {
      steps,
      atStart,
      afterWord,
      next: [],
      settled: undefined,
      atEnd: undefined,
    };
    this.#states.set(key, state);
    return state;
  }

  /**
   * Follows forks and places from `from`: `#reached` are then the steps that
   * take a character. Returns whether it matched already.
   */
  #close(
    from: readonly number[],
    start: boolean,
    end: boolean,
    boundary: boolean,
  ): boolean {
    const { steps } = this.#program;
    const visit = ++this.#visit;
    const pending = [...from];
    this.#reached.length = 0;
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (this.#visited[at] === visit) continue;
      this.#visited[at] = visit;
      const step = steps[at];
      switch (step?.kind) {
        case "match":
          return true;
        case "atom":
          this.#reached.push(at);
          break;
        case "fork":
          pending.push(step.second, step.first);
          break;
        case "assert":
          if (
            step.place === "start"
              ? start
              : step.place === "end"
              ? end
              : (step.place === "wordBoundary") === boundary
          ) pending.push(at + 1);
          break;
      }
    }
    return false;
  }

  #rareClass(code: number): number {
    let number = this.#rare.get(code);
    if (number === undefined) {
      if (this.#rare.size >= MAX_RARE) this.#rare.clear();
      number = this.#classify(code);
      this.#rare.set(code, number);
    }
    return number;
  }

  #classify(code: number): number {
    const char = String.fromCodePoint(code);
    const accepted = Uint8Array.from(
      this.#program.atoms,
      (atom) => Number(atom.test(char)),
    );
    const word = this.#program.hasWordBoundary && /^[0-9A-Za-z_]$/.test(char);
    const key = accepted.join("") + (word ? "w" : "");
    let number = this.#classNumbers.get(key);
    if (number === undefined) {
      number = this.#classes.length;
      this.#classes.push({ number, accepted, word });
      this.#classNumbers.set(key, number);
    }
    return number;
  }
}

function settled(answer: boolean): State {
  return {
    steps: [],
    atStart: false,
    afterWord: false,
    next: [],
    settled: answer,
    atEnd: answer,
  };
}
