/**
 * Regular expressions for the rule language, safe to run on what a client sends.
 *
 * @module
 */
import { literalsOf, type PatternLiterals } from "./pattern_literals.ts";
import { PatternMatcher } from "./pattern_matcher.ts";
import { compileProgram } from "./pattern_program.ts";
import { parsePattern } from "./pattern_syntax.ts";

/** A compiled pattern; it is stateless to whoever uses it. */
export interface SafeRegExp {
  readonly source: string;
  readonly literals: PatternLiterals;
  /** Whether it matches somewhere in `subject`. */
  test(subject: string): boolean;
}

/**
 * Compiles a pattern in RE2's syntax. The time of a test grows with the
 * subject's length alone, so no pattern has to be refused for its shape and no
 * subject for its length: one that is not looked at would slip past the rule
 * that is to block it. Throws a `PatternError` for bad syntax and what RE2 does
 * not know (back references, look-around), a `RangeError` for a pattern that is
 * too large.
 */
export function compileSafe(
  pattern: string,
  options: { readonly ignoreCase?: boolean } = {},
): SafeRegExp {
  const tree = parsePattern(pattern, {
    ignoreCase: options.ignoreCase ?? false,
  });
  const matcher = new PatternMatcher(compileProgram(tree));
  return {
    source: pattern,
    literals: literalsOf(tree),
    test: (subject) => matcher.test(subject),
  };
}
