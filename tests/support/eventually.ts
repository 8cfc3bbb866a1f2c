/**
 * Waiting for what no event tells: asked again and again until it holds.
 *
 * @module
 */

/** A generous bound, in milliseconds: reaching it is a failure, never a result. */
const PATIENCE = 10_000;

const PAUSE = 5;

type Truthy<T> = Exclude<T, false | 0 | "" | null | undefined>;

/** Resolves to the first truthy answer of `ask`. Rejects with what was waited for after a generous time. */
export async function eventually<T>(
  what: string,
  ask: () => T | Promise<T>,
  patience = PATIENCE,
): Promise<Truthy<T>> {
  const end = performance.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer) return answer as Truthy<T>;
    if (performance.now() > end) {
      throw new Error(`Waited ${patience} ms in vain for: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

/** Waits until a number that has begun to grow no longer does: everybody waits for somebody. */
export async function stalled(value: () => number): Promise<void> {
  let before = 0;
  let same = 0;
  await eventually("a standstill", () => {
    same = value() === before && before > 0 ? same + 1 : 0;
    before = value();
    return same === 20;
  });
}

/** The promise's value. Rejects with what was waited for after a generous time. */
export async function inTime<T>(
  what: string,
  promise: Promise<T>,
  patience = PATIENCE,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Waited ${patience} ms in vain for: ${what}`)),
      patience,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
