/**
 * Finds a pattern's first match and its groups' places: a simulation whose
 * threads go in their order of preference (Pike's), so that the answer is a
 * backtracking matcher's, while each character costs one visit of each step at
 * most.
 *
 * @module
 */
import type { Program, Step } from "./pattern_program.ts";

/** Begin and end of the match and of each group in turn; -1 where a group took no part. */
export type Slots = readonly number[];

/** A step that a thread is at, and what it noted on its way. */
interface Thread {
  readonly at: number;
  readonly slots: Slots;
}

/** Runs a program that was compiled with captures. */
export class PatternCaptures {
  readonly #program: Program;
  readonly #nothing: Slots;
  readonly #visited: Uint32Array;
  #visit = 0;

  constructor(program: Program) {
    this.#program = program;
    this.#nothing = new Array(2 * (program.groups + 1)).fill(-1);
    this.#visited = new Uint32Array(program.steps.length);
  }

  /** The leftmost match from `from` on; undefined for none. */
  find(subject: string, from = 0): Slots | undefined {
    const { steps, atoms } = this.#program;
    let current: Thread[] = [];
    let found: Slots | undefined;
    let at = from;
    let before = at === 0 ? "" : subject[at - 1]!;
    for (;;) {
      const code = subject.codePointAt(at);
      const char = code === undefined ? "" : String.fromCodePoint(code);
      const place = {
        at,
        start: at === 0,
        end: char === "",
        boundary: isWord(before) !== isWord(char),
      };
      const reached: Thread[] = [];
      this.#visit++;
      // Where something matched already, nothing begins later.
      const threads = found === undefined
        ? [...current, { at: 0, slots: this.#nothing.with(0, at) }]
        : current;
      for (const thread of threads) {
        const matched = this.#close(thread, place, reached);
        if (matched === undefined) continue;
        // Threads behind it are less preferred.
        found = matched;
        break;
      }
      if (char === "" || (reached.length === 0 && found !== undefined)) {
        return found;
      }
      current = [];
      const accepted = new Map<number, boolean>();
      for (const thread of reached) {
        const { atom } = steps[thread.at] as Step & { readonly kind: "atom" };
        let takes = accepted.get(atom);
        if (takes === undefined) {
          takes = atoms[atom]!.test(char);
          accepted.set(atom, takes);
        }
        if (takes) current.push({ at: thread.at + 1, slots: thread.slots });
      }
      at += char.length;
      before = char;
    }
  }

  /** Adds the steps that take a character, in order of preference; the slots where it matches, and nothing behind that. */
  #close(from: Thread, place: Place, reached: Thread[]): Slots | undefined {
    const { steps } = this.#program;
    const pending: Thread[] = [from];
    for (let next = pending.pop(); next; next = pending.pop()) {
      const { at, slots } = next;
      if (this.#visited[at] === this.#visit) continue;
      this.#visited[at] = this.#visit;
      const step = steps[at]!;
      switch (step.kind) {
        case "match":
          return slots.with(1, place.at);
        case "atom":
          reached.push(next);
          break;
        case "fork":
          pending.push({ at: step.second, slots }, { at: step.first, slots });
          break;
        case "save":
          pending.push({ at: at + 1, slots: slots.with(step.slot, place.at) });
          break;
        case "assert":
          if (holds(step.place, place)) pending.push({ at: at + 1, slots });
      }
    }
    return undefined;
  }
}

interface Place {
  readonly at: number;
  readonly start: boolean;
  readonly end: boolean;
  readonly boundary: boolean;
}

function holds(
  kind: "start" | "end" | "wordBoundary" | "noWordBoundary",
  place: Place,
): boolean {
  switch (kind) {
    case "start":
      return place.start;
    case "end":
      return place.end;
    case "wordBoundary":
      return place.boundary;
    case "noWordBoundary":
      return !place.boundary;
  }
}

function isWord(char: string): boolean {
  return /^[0-9A-Za-z_]$/.test(char);
}
