/**
 * Work that is waited for only so long.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

/**
 * What `work` comes to or, where that takes longer than so many milliseconds,
 * what `late` gives or throws. The work itself goes on: what it comes to then is
 * nobody's.
 */
export async function within<T>(
  clock: Pick<Clock, "after">,
  milliseconds: number,
  work: Promise<T>,
  late: () => T,
): Promise<T> {
  const over = Promise.withResolvers<void>();
  const cancel = clock.after(milliseconds, over.resolve);
  try {
    return await Promise.race([work, over.promise.then(late)]);
  } finally {
    cancel();
  }
}
