/**
 * Runs a pattern's program over a subject: a deterministic automaton that is
 * made while it runs, as RE2's. Every character is looked at once, whatever the
 * pattern: a backtracking matcher takes the cube of the length for `.*.*.*=`
 * (V8, measured: 6 s for 512 characters) and doubles per character for `(a+)+$`.
 *
 * @module
 */
import type { Program } from "./pattern_program.ts";

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
interface CharacterClass {
  readonly number: number;
  readonly accepted: readonly boolean[];
  readonly word: boolean;
}

/** Past so many states or rare characters all are forgotten, so that no subject can fill the memory. */
const MAX_STATES = 512;
const MAX_RARE = 4_096;

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
    let state = this.#start ??= this.#state([0], true, false);
    for (let i = 0; i < subject.length; i++) {
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
      state = state.next[number] ?? this.#step(state, number);
      if (state.settled !== undefined) return state.settled;
    }
    return state.atEnd ??= this.#close(
      state.steps,
      state.atStart,
      true,
      state.afterWord,
    );
  }

  #step(state: State, number: number): State {
    const next = this.#successor(state, this.#classes[number]);
    return state.next[number] = next;
  }

  #successor(state: State, character: CharacterClass | undefined): State {
    if (character === undefined) return FAILED;
    const boundary = state.afterWord !== character.word;
    if (this.#close(state.steps, state.atStart, false, boundary)) {
      return MATCHED;
    }
    const steps = new Set<number>();
    // It may begin at every character.
    if (!this.#anchored) steps.add(0);
    for (const at of this.#reached) {
      const step = this.#program.steps[at];
      if (step?.kind === "atom" && character.accepted[step.atom]) {
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
  ): State {
    const key = `${atStart ? "^" : ""}${afterWord ? "w" : ""}${steps.join()}`;
    let state = this.#states.get(key);
    if (state !== undefined) return state;
    if (this.#states.size >= MAX_STATES) {
      this.#states.clear();
      this.#start = undefined;
    }
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
    const accepted = this.#program.atoms.map((atom) => atom.test(char));
    const word = this.#program.hasWordBoundary && /^[0-9A-Za-z_]$/.test(char);
    const key = accepted.map(Number).join("") + (word ? "w" : "");
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
