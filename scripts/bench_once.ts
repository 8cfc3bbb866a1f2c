/**
 * Makes every `Deno.bench` a short one: `deno task micro-once` preloads it to see
 * that the micro-benchmarks run, whatever they would measure.
 *
 * @module
 */
const { bench } = Deno;

/** Runs of each; Deno adds some of its own to see how long one takes. */
const FEW = { n: 1, warmup: 1 } as const;

function once(name: string, ...rest: unknown[]): void {
  const fn = rest.pop() as () => void;
  const options = (rest[0] ?? {}) as Partial<Deno.BenchDefinition>;
  bench({ ...options, ...FEW, name, fn });
}

Deno.bench = Object.assign(once, bench) as typeof Deno.bench;
