/**
 * Turns a pattern's tree into a program of steps (Thompson's construction):
 * its size, and so the work per character, is bounded.
 *
 * @module
 */
import type { Atom, PatternNode, Place } from "./pattern_syntax.ts";

/** One step of a program. */
export type Step =
  /** Passes a character that the atom accepts, then goes to the next step. */
  | { readonly kind: "atom"; readonly atom: number }
  /** Goes to the next step where the place is right. */
  | { readonly kind: "assert"; readonly place: Place }
  /** Goes to both steps, and to the first by preference. */
  | { readonly kind: "fork"; first: number; second: number }
  /** Notes the place in this slot; only in a program with captures. */
  | { readonly kind: "save"; readonly slot: number }
  | { readonly kind: "match" };

/** A compiled pattern; it begins at step 0. */
export interface Program {
  readonly steps: readonly Step[];
  /** The distinct atoms; steps name them by their place here. */
  readonly atoms: readonly RegExp[];
  readonly hasWordBoundary: boolean;
  /** Groups that are captured; 0 in a program without captures. */
  readonly groups: number;
}

/**
 * The most steps that a pattern may have. The worst case of a match is one
 * visit of each step per character.
 */
export const MAX_STEPS = 1_000;
/** The most nodes visited: counted repetitions of nothing make no steps. */
const MAX_VISITS = 10_000;

/**
 * Compiles a tree; with `captures` so that it tells the groups' places too.
 * Throws a `RangeError` for one that is too large.
 */
export function compileProgram(
  root: PatternNode,
  { captures = false }: { readonly captures?: boolean } = {},
): Program {
  const builder = new Builder(captures);
  builder.add(root);
  return builder.finish();
}

class Builder {
  readonly #steps: Step[] = [];
  readonly #atoms: RegExp[] = [];
  readonly #atomNumbers = new Map<string, number>();
  readonly #captures: boolean;
  #hasWordBoundary = false;
  #groups = 0;
  #visits = 0;

  constructor(captures: boolean) {
    this.#captures = captures;
  }

  finish(): Program {
    this.#push({ kind: "match" });
    return {
      steps: this.#steps,
      atoms: this.#atoms,
      hasWordBoundary: this.#hasWordBoundary,
      groups: this.#groups,
    };
  }

  add(node: PatternNode): void {
    if (++this.#visits > MAX_VISITS) throw tooLarge();
    switch (node.kind) {
      case "atom":
        this.#push({ kind: "atom", atom: this.#atom(node.atom) });
        break;
      case "assert":
        this.#hasWordBoundary ||= node.place === "wordBoundary" ||
          node.place === "noWordBoundary";
        this.#push({ kind: "assert", place: node.place });
        break;
      case "sequence":
        for (const part of node.parts) this.add(part);
        break;
      case "choice":
        this.#addChoice(node.parts);
        break;
      case "repeat":
        this.#addRepeat(node);
        break;
      case "group":
        this.#addGroup(node.number, node.body);
        break;
    }
  }

  #addChoice(parts: readonly PatternNode[]): void {
    const exits: number[] = [];
    parts.forEach((part, i) => {
      if (i === parts.length - 1) {
        this.add(part);
        return;
      }
      const fork = this.#fork();
      this.add(part);
      exits.push(this.#fork());
      this.#aim(fork, fork + 1, this.#steps.length);
    });
    const end = this.#steps.length;
    for (const exit of exits) this.#aim(exit, end, end);
  }

  #addGroup(number: number, body: PatternNode): void {
    if (!this.#captures) {
      this.add(body);
      return;
    }
    this.#groups = Math.max(this.#groups, number);
    this.#push({ kind: "save", slot: 2 * number });
    this.add(body);
    this.#push({ kind: "save", slot: 2 * number + 1 });
  }

  #addRepeat(node: PatternNode & { readonly kind: "repeat" }): void {
    const { body, min, max, lazy } = node;
    if (max === Infinity) {
      this.#addLoop(body, min, lazy);
      return;
    }
    for (let i = 0; i < min; i++) this.add(body);
    const exits: number[] = [];
    for (let i = min; i < max; i++) {
      exits.push(this.#fork());
      this.add(body);
    }
    for (const exit of exits) {
      this.#choose(exit, exit + 1, this.#steps.length, lazy);
    }
  }

  #addLoop(body: PatternNode, min: number, lazy: boolean): void {
    for (let i = 1; i < min; i++) this.add(body);
    // The last copy that must be there is the one that loops: were the loop one
    // more copy, nested `+` would double the program at each level.
    const entry = min === 0 ? this.#fork() : undefined;
    const begin = this.#steps.length;
    this.add(body);
    const back = this.#fork();
    this.#choose(back, begin, back + 1, lazy);
    if (entry !== undefined) this.#choose(entry, begin, back + 1, lazy);
  }

  /** Aims a fork at one more repetition and at its end. */
  #choose(fork: number, more: number, end: number, lazy: boolean): void {
    this.#aim(fork, lazy ? end : more, lazy ? more : end);
  }

  #fork(): number {
    return this.#push({ kind: "fork", first: 0, second: 0 });
  }

  #aim(fork: number, first: number, second: number): void {
    this.#steps[fork] = { kind: "fork", first, second };
  }

  #push(step: Step): number {
    if (this.#steps.length >= MAX_STEPS) throw tooLarge();
    return this.#steps.push(step) - 1;
  }

  #atom({ source, ignoreCase }: Atom): number {
    const key = (ignoreCase ? "i" : "") + source;
    let number = this.#atomNumbers.get(key);
    if (number === undefined) {
      const flags = ignoreCase ? "iu" : "u";
      number = this.#atoms.push(new RegExp(`^${source}$`, flags)) - 1;
      this.#atomNumbers.set(key, number);
    }
    return number;
  }
}

function tooLarge(): RangeError {
  return new RangeError(
    `Cannot use pattern as its size must be <= ${MAX_STEPS} steps, counted repetitions multiplied out`,
  );
}
