/**
 * Finds a pattern's matches and their groups' places, in two passes. The first
 * one, from the subject's end, notes from where a match can be reached; the
 * second follows the way that is preferred among those: never one that fails, so
 * that the answer is a backtracking matcher's, while each character costs one
 * visit of each step in either pass, however many matches there are.
 *
 * @module
 */
import type { Program } from "./pattern_program.ts";
import type { Place as Assertion } from "./pattern_syntax.ts";

/** Begin and end of the match and of each group in turn; -1 where a group took no part. */
export type Slots = readonly number[];

/** Finds the leftmost match of a subject from a place on; undefined for none. */
export type FindFrom = (from: number) => Slots | undefined;

/** A step that the match is at, and what it noted on its way. */
interface Thread {
  readonly at: number;
  readonly slots: Slots;
}

/** Runs a program that was compiled with captures. */
export class PatternCaptures {
  readonly #program: Program;
  readonly #nothing: Slots;
  /** By each step those that lead to it without a character. */
  readonly #before: readonly (readonly number[])[];
  /** The closing that a step was last visited by: they are counted for as long as the program lives. */
  readonly #visited: Float64Array;
  #visit = 0;

  constructor(program: Program) {
    const { steps, groups } = program;
    this.#program = program;
    this.#nothing = new Array(2 * (groups + 1)).fill(-1);
    const before: number[][] = steps.map(() => []);
    steps.forEach((step, at) => {
      if (step.kind === "fork") {
        before[step.first]!.push(at);
        before[step.second]!.push(at);
      } else if (step.kind === "save" || step.kind === "assert") {
        before[at + 1]!.push(at);
      }
    });
    this.#before = before;
    this.#visited = new Float64Array(steps.length);
  }

  /** Looks through a subject for {@linkcode FindFrom}, whose places are between its characters. */
  over(subject: string): FindFrom {
    const ways = this.#waysOf(subject);
    return (from) => {
      for (let at = from; at <= subject.length; at += lengthAt(subject, at)) {
        if (ways.leads(0, at)) return this.#follow(subject, at, ways);
        if (at === subject.length) break;
      }
      return undefined;
    };
  }

  /** From the end on: the steps from which a match can be reached, at each place. */
  #waysOf(subject: string): Ways {
    const { steps, atoms } = this.#program;
    const ways = new Ways(steps.length, subject.length);
    const accepted = new Map<string, readonly boolean[]>();
    for (let at = subject.length; at >= 0;) {
      const char = charAt(subject, at);
      let accepts = accepted.get(char);
      if (accepts === undefined) {
        accepts = atoms.map((atom) => char !== "" && atom.test(char));
        accepted.set(char, accepts);
      }
      const next = at + char.length;
      const found: number[] = [];
      steps.forEach((step, i) => {
        const leads = step.kind === "atom"
          ? accepts[step.atom] && ways.leads(i + 1, next)
          : step.kind === "match";
        if (leads) found.push(i);
      });
      for (let i = found.pop(); i !== undefined; i = found.pop()) {
        if (ways.leads(i, at)) continue;
        const step = steps[i]!;
        if (step.kind === "assert" && !holds(step.place, subject, at)) continue;
        ways.add(i, at);
        found.push(...this.#before[i]!);
      }
      if (at === 0) break;
      at -= lengthBefore(subject, at);
    }
    return ways;
  }

  /** The match that begins at a place from where there is one. */
  #follow(subject: string, begin: number, ways: Ways): Slots {
    let thread: Thread | undefined = {
      at: 0,
      slots: this.#nothing.with(0, begin),
    };
    let place = begin;
    for (;;) {
      thread = this.#choose(thread, place, ways);
      const { at, slots } = thread;
      if (this.#program.steps[at]!.kind === "match") {
        return slots.with(1, place);
      }
      place += lengthAt(subject, place);
      thread = { at: at + 1, slots };
    }
  }

  /** The preferred step, of those that lead to a match, that takes a character or ends it. */
  #choose(from: Thread, place: number, ways: Ways): Thread {
    const { steps } = this.#program;
    const visit = ++this.#visit;
    const pending: Thread[] = [from];
    for (let next = pending.pop(); next; next = pending.pop()) {
      const { at, slots } = next;
      if (this.#visited[at] === visit || !ways.leads(at, place)) continue;
      this.#visited[at] = visit;
      const step = steps[at]!;
      switch (step.kind) {
        case "match":
        case "atom":
          return next;
        case "fork":
          pending.push({ at: step.second, slots }, { at: step.first, slots });
          break;
        case "save":
          pending.push({ at: at + 1, slots: slots.with(step.slot, place) });
          break;
        case "assert":
          pending.push({ at: at + 1, slots });
      }
    }
    throw new Error("No step leads from one that leads to a match");
  }
}

/** Steps that lead to a match, by place: a bit each. */
class Ways {
  readonly #words: number;
  readonly #bits: Uint32Array;

  constructor(steps: number, length: number) {
    this.#words = Math.ceil(steps / 32);
    this.#bits = new Uint32Array(this.#words * (length + 1));
  }

  leads(step: number, place: number): boolean {
    const word = this.#bits[place * this.#words + (step >>> 5)]!;
    return (word >>> (step & 31) & 1) === 1;
  }

  add(step: number, place: number): void {
    this.#bits[place * this.#words + (step >>> 5)]! |= 1 << (step & 31);
  }
}

function holds(kind: Assertion, subject: string, at: number): boolean {
  switch (kind) {
    case "start":
      return at === 0;
    case "end":
      return at === subject.length;
    case "wordBoundary":
      return isWord(subject[at - 1]) !== isWord(subject[at]);
    case "noWordBoundary":
      return isWord(subject[at - 1]) === isWord(subject[at]);
  }
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /^[0-9A-Za-z_]$/.test(char);
}

/** The code point behind a place; empty at the end. */
function charAt(subject: string, at: number): string {
  return subject.slice(at, at + lengthAt(subject, at));
}

function lengthAt(subject: string, at: number): number {
  return subject.codePointAt(at)! > 0xffff ? 2 : 1;
}

function lengthBefore(subject: string, at: number): number {
  return at > 1 && subject.codePointAt(at - 2)! > 0xffff ? 2 : 1;
}
