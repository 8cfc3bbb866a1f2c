/**
 * "Did you mean …?"
 *
 * @module
 */

/** `; did you mean "NAME"?` for the nearest of `names`, or nothing where none is near. */
export function didYouMean(wrong: string, names: Iterable<string>): string {
  // A third of the letters may be wrong: more suggests nonsense.
  let least = Math.max(1, Math.floor(wrong.length / 3)) + 1;
  let nearest: string | undefined;
  for (const name of names) {
    const distance = editDistance(wrong.toLowerCase(), name.toLowerCase());
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest === undefined ? "" : `; did you mean "${nearest}"?`;
}

/** Levenshtein's distance: letters to insert, remove or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
