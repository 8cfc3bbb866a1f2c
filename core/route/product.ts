/**
 * Products and their rules in one snapshot: host → product → rule.
 *
 * @module
 */
import type { Condition } from "../conditions/primitive.ts";
import type { RuleConfig } from "../config/config.ts";
import type { HttpRequest } from "../plugin.ts";

/** A rule with its condition compiled; null matches every request. */
export interface Rule {
  readonly config: RuleConfig;
  readonly when: Condition | null;
}

/** A tenant. */
export class Product {
  readonly name: string;
  readonly rules: readonly Rule[];

  constructor(name: string, rules: readonly Rule[]) {
    this.name = name;
    this.rules = rules;
  }

  /** The first rule that matches. */
  match(request: HttpRequest): Rule | undefined {
    for (const rule of this.rules) {
      if (rule.when === null || rule.when(request)) return rule;
    }
    return undefined;
  }
}
