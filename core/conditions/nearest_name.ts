/**
 * Finds what somebody may have meant.
 *
 * @module
 */

/** The name nearest to `name`, undefined where none is near: at most a third of its letters differ. */
export function nearestName(
  name: string,
  names: Iterable<string>,
): string | undefined {
  let nearest: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    if (Math.abs(candidate.length - name.length) >= least) continue;
    const changes = distance(name, candidate);
    if (changes < least) {
      least = changes;
      nearest = candidate;
    }
  }
  return nearest;
}

/** How many letters must be put in, left out or replaced (Levenshtein). */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(
        Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1),
      );
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
