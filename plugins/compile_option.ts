/**
 * Options that are compiled in `setup`, where the rule language is at hand:
 * what is wrong with one is told with its path.
 *
 * @module
 */

/** What `compile` gives; what it throws gets the option's path before it. */
export function compileOption<T>(path: string, compile: () => T): T {
  try {
    return compile();
  } catch (cause) {
    if (!(cause instanceof SyntaxError || cause instanceof RangeError)) {
      throw cause;
    }
    throw new SyntaxError(`options.${path}: ${cause.message}`, { cause });
  }
}
