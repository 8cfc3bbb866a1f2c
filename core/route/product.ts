/**
 * Products and their rules in one snapshot: host → product → rule.
 *
 * @module
 */
import type { Compiled } from "../conditions/compile.ts";
import { type ConditionTrace, traceCondition } from "../conditions/trace.ts";
import type { RuleConfig } from "../config/config.ts";
import type { HttpRequest } from "../plugin.ts";
import { RuleIndex } from "./rule_index.ts";

/** A rule with its condition compiled; null matches every request. */
export interface Rule {
  readonly config: RuleConfig;
  readonly when: Compiled | null;
}

/** What became of one rule when a request was matched. */
export interface RuleTrace {
  readonly rule: Rule;
  /** Its place among the product's rules, from 0. */
  readonly place: number;
  readonly matched: boolean;
  /** Whether the index told that it can't match: it is not asked then but for a trace. */
  readonly excluded: boolean;
  /** What the parts of its condition answered; undefined without one, and where a plugin's primitive failed. */
  readonly condition: ConditionTrace | undefined;
  /** What a plugin's primitive threw, where it did: no further rule is tried. */
  readonly error: unknown;
}

/** Up to so many rules a walk costs no more than an index. */
const WALKED = 8;

/** A tenant. */
export class Product {
  readonly name: string;
  readonly rules: readonly Rule[];
  readonly #index: RuleIndex | undefined;

  constructor(name: string, rules: readonly Rule[]) {
    this.name = name;
    this.rules = rules;
    this.#index = rules.length > WALKED
      ? new RuleIndex(rules.map(({ when }) => when))
      : undefined;
  }

  /** The first rule that matches. Throws what a plugin's primitive throws. */
  match(request: HttpRequest): Rule | undefined {
    const index = this.#index;
    if (index === undefined) return this.#walk(request);
    index.mark(request);
    for (let i = index.next(0); i >= 0; i = index.next(i + 1)) {
      const rule = this.rules[i]!;
      const { when } = rule;
      if (when === null || when.test(request)) return rule;
      // A plugin's code may have changed what the marks were made of.
      if (when.foreign) index.mark(request);
    }
    return undefined;
  }

  #walk(request: HttpRequest): Rule | undefined {
    for (let i = 0; i < this.rules.length; i++) {
      const rule = this.rules[i]!;
      if (rule.when === null || rule.when.test(request)) return rule;
    }
    return undefined;
  }

  /**
   * Every rule up to the one that matches, each with its result: the last one
   * is what {@linkcode match} returns or what it throws.
   */
  trace(request: HttpRequest): readonly RuleTrace[] {
    const traces: RuleTrace[] = [];
    this.#index?.mark(request);
    for (const [place, rule] of this.rules.entries()) {
      const excluded = this.#index !== undefined &&
        this.#index.next(place) !== place;
      const trace = { rule, place, excluded, ...ask(rule, request) };
      traces.push(trace);
      if (trace.matched || trace.error !== undefined) break;
      if (rule.when?.foreign) this.#index?.mark(request);
    }
    return traces;
  }
}

function ask(
  { when }: Rule,
  request: HttpRequest,
): Pick<RuleTrace, "matched" | "condition" | "error"> {
  if (when === null) {
    return { matched: true, condition: undefined, error: undefined };
  }
  try {
    const condition = traceCondition(when, request);
    return { matched: condition.result === true, condition, error: undefined };
  } catch (error) {
    return { matched: false, condition: undefined, error };
  }
}
