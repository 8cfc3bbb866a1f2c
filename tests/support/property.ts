/**
 * How property tests are run: from a fixed seed, so that a run that passed
 * passes again, or for longer from another one.
 *
 * `HEADRACE_FUZZ_RUNS` sets the number of examples of every property (then from
 * a seed of the time), `HEADRACE_FUZZ_SEED` the seed.
 *
 * @module
 */

/** A property's examples. */
export interface Runs {
  readonly seed: number;
  readonly numRuns: number;
}

/** Examples that take a second or so are `usual`; says on the console what is run. */
export function runsOf(what: string, usual: number): Runs {
  const runs = numberOf("HEADRACE_FUZZ_RUNS");
  const seed = numberOf("HEADRACE_FUZZ_SEED") ??
    (runs === undefined ? 1 : Date.now() % 2 ** 31);
  const numRuns = runs ?? usual;
  console.log(`${what}: seed ${seed}, ${numRuns} examples`);
  return { seed, numRuns };
}

/** A number of the environment; undefined where it is not set. Throws a `RangeError`. */
function numberOf(name: string): number | undefined {
  const text = Deno.env.get(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(
      `Cannot use ${name} as it must be a whole number from 1: current value is ${
        JSON.stringify(text)
      }`,
    );
  }
  return value;
}
