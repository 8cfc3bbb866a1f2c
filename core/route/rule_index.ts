/**
 * Finds the rules of a product that may match a request, instead of a walk over
 * all: of 200 in 0.2 to 3 µs where a walk takes 10 to 50 (tests/bench/route_bench.ts).
 *
 * Each way to match (a {@linkcode Term}) has a bit. Per dimension that rules
 * ask for, such as the path, the request's own text gives the bits whose keys
 * it has; with those that ask for nothing there they pass on.
 *
 * @module
 */
import type { Compiled } from "../conditions/compile.ts";
import type { Dimension, KeyFit } from "../conditions/index_key.ts";
import type { HttpRequest } from "../plugin.ts";
import { type KeyChoice, type Term, termsOf } from "./rule_terms.ts";
import { TextParts } from "./text_parts.ts";
import { TextTrie } from "./text_trie.ts";

/** A dimension is read only if it may spare so many terms: to ask a few rules costs less. */
const WORTH_READING = 4;

/** Rules by what a request must have. */
export class RuleIndex {
  /** The rule of each term, in order. */
  readonly #rules: Uint32Array;
  /** The first term of each rule or of a later one. */
  readonly #firstTerms: Uint32Array;
  readonly #dimensions: readonly IndexedDimension[];
  /** The terms that may match; a scratch of one request's time, as nothing waits in between. */
  readonly #marks: Uint32Array;
  readonly #rest: number;

  constructor(conditions: readonly (Compiled | null)[]) {
    const terms: Term[] = [];
    const rules: number[] = [];
    this.#firstTerms = Uint32Array.from(conditions, (condition, rule) => {
      const first = terms.length;
      for (const term of termsOf(condition)) {
        terms.push(term);
        rules.push(rule);
      }
      return first;
    });
    this.#rules = Uint32Array.from(rules);
    const words = Math.ceil(terms.length / 32);
    this.#marks = new Uint32Array(words);
    // Bits behind the last term stay clear.
    this.#rest = terms.length % 32 === 0 ? -1 : (1 << terms.length % 32) - 1;
    this.#dimensions = indexDimensions(terms, words);
  }

  /** Marks the rules that may match; {@linkcode next} tells them. */
  mark(request: HttpRequest): void {
    const marks = this.#marks;
    if (marks.length === 0) return;
    marks.fill(0xffff_ffff);
    marks[marks.length - 1]! &= this.#rest;
    for (const dimension of this.#dimensions) {
      if (dimension.spares(marks)) dimension.narrow(marks, request);
    }
  }

  /** The first marked rule from `rule` on; -1 where none is left. */
  next(rule: number): number {
    const marks = this.#marks;
    let term = this.#firstTerms[rule] ?? this.#rules.length;
    for (let word = term >>> 5; word < marks.length; word++) {
      const bits = marks[word]! & (-1 << (term & 31));
      if (bits !== 0) {
        return this.#rules[word * 32 + 31 - Math.clz32(bits & -bits)]!;
      }
      term = 0;
    }
    return -1;
  }
}

/** One dimension with the terms that ask for something in it. */
class IndexedDimension {
  readonly #read: (request: HttpRequest) => string | undefined;
  /** The terms that ask for nothing here. */
  readonly #free: Uint32Array;
  readonly #scratch: Uint32Array;
  readonly #whole = new Map<string, number[]>();
  readonly #beginnings = new TextTrie<KeyTerms>({ backwards: false });
  readonly #ends = new TextTrie<KeyTerms>({ backwards: true });
  #parts: TextParts<number[]> | undefined;
  #hasBeginnings = false;
  #hasEnds = false;

  constructor(asked: AskedDimension, words: number) {
    this.#read = asked.dimension.read;
    this.#free = new Uint32Array(words).fill(0xffff_ffff);
    this.#scratch = new Uint32Array(words);
    for (const [term, choice] of asked.choices) {
      this.#free[term >>> 5]! &= ~(1 << (term & 31));
      for (const { fit, text } of choice) this.#termsOf(fit, text).push(term);
    }
  }

  #termsOf(fit: KeyFit, text: string): number[] {
    switch (fit) {
      case "whole": {
        const terms = this.#whole.get(text) ?? [];
        this.#whole.set(text, terms);
        return terms;
      }
      case "prefix":
        this.#hasBeginnings = true;
        return this.#beginnings.at(text, noTerms).all;
      case "segments":
        this.#hasBeginnings = true;
        return this.#beginnings.at(text, noTerms).segments;
      case "suffix":
        this.#hasEnds = true;
        return this.#ends.at(text, noTerms).all;
      case "part":
        this.#parts ??= new TextParts();
        return this.#parts.at(text, noTermsYet);
    }
  }

  /** Whether a reading may clear enough marks to be worth it. */
  spares(marks: Uint32Array): boolean {
    let count = 0;
    for (let i = 0; i < marks.length; i++) {
      for (let bits = marks[i]! & ~this.#free[i]!; bits !== 0;) {
        if (++count === WORTH_READING) return true;
        bits &= bits - 1;
      }
    }
    return false;
  }

  /** Clears the marks of terms that ask for keys that the request has not. */
  narrow(marks: Uint32Array, request: HttpRequest): void {
    const text = this.#read(request);
    const fitting = this.#scratch;
    fitting.set(this.#free);
    if (text !== undefined) {
      addAll(fitting, this.#whole.get(text));
      if (this.#hasBeginnings) {
        this.#beginnings.each(text, fitting, addBeginnings);
      }
      if (this.#hasEnds) this.#ends.each(text, fitting, addEnds);
      this.#parts?.each(text, fitting, addParts);
    }
    for (let i = 0; i < marks.length; i++) marks[i]! &= fitting[i]!;
  }
}

/** The terms of the keys of one text. */
interface KeyTerms {
  /** Of those that fit wherever the text does. */
  readonly all: number[];
  /** Of those that fit whole path segments only. */
  readonly segments: number[];
}

function noTerms(): KeyTerms {
  return { all: [], segments: [] };
}

const SLASH = 47;

function addBeginnings(
  { all, segments }: KeyTerms,
  left: number,
  fitting: Uint32Array,
  text: string,
): void {
  addAll(fitting, all);
  if (left === 0 || text.charCodeAt(text.length - left) === SLASH) {
    addAll(fitting, segments);
  }
}

function addEnds({ all }: KeyTerms, _left: number, fitting: Uint32Array): void {
  addAll(fitting, all);
}

function noTermsYet(): number[] {
  return [];
}

function addParts(terms: readonly number[], fitting: Uint32Array): void {
  addAll(fitting, terms);
}

function addAll(
  fitting: Uint32Array,
  terms: readonly number[] | undefined,
): void {
  if (terms === undefined) return;
  for (let i = 0; i < terms.length; i++) {
    const term = terms[i]!;
    fitting[term >>> 5]! |= 1 << (term & 31);
  }
}

/** A dimension and the choices of keys that terms ask for in it. */
interface AskedDimension {
  readonly dimension: Dimension;
  readonly choices: Map<number, KeyChoice>;
}

function indexDimensions(
  terms: readonly Term[],
  words: number,
): readonly IndexedDimension[] {
  const asked = new Map<string, AskedDimension>();
  terms.forEach((term, number) => {
    for (const choice of term) {
      const { dimension } = choice[0]!;
      let one = asked.get(dimension.name);
      if (one === undefined) {
        one = { dimension, choices: new Map() };
        asked.set(dimension.name, one);
      }
      // A term may ask twice for one thing: the first time narrows enough.
      if (!one.choices.has(number)) one.choices.set(number, choice);
    }
  });
  // First what is cheap and has the most keys: it may spare the others.
  return [...asked.values()]
    .map((one) => ({ one, keys: countKeys(one) }))
    .sort((a, b) =>
      Number(a.one.dimension.dear) - Number(b.one.dimension.dear) ||
      b.keys - a.keys
    )
    .map(({ one }) => new IndexedDimension(one, words));
}

/** How many different keys there are. */
function countKeys({ choices }: AskedDimension): number {
  const keys = new Set<string>();
  for (const choice of choices.values()) {
    for (const { fit, text } of choice) keys.add(`${fit} ${text}`);
  }
  return keys.size;
}
