/**
 * "Did you mean": the nearest of the words that would have been right.
 *
 * @module
 */

/**
 * The candidate nearest to the word, if one is near enough to be a slip of the
 * pen: other case, one edit for every three letters, or one begins the other.
 * Of equally near ones the first. The word itself is never the answer.
 */
export function nearest(
  word: string,
  candidates: Iterable<string>,
): string | undefined {
  const lower = word.toLowerCase();
  let best: string | undefined;
  const most = Math.max(1, Math.floor(word.length / 3));
  let least = most + 1;
  for (const candidate of candidates) {
    if (candidate === word) continue;
    const other = candidate.toLowerCase();
    const begins = Math.min(lower.length, other.length) >= 3 &&
      (lower.startsWith(other) || other.startsWith(lower));
    // Each letter more or less is an edit: no need to count the others.
    const longer = Math.abs(lower.length - other.length);
    if (!begins && longer >= least) continue;
    const distance = editDistance(lower, other);
    const edits = begins ? Math.min(distance, most) : distance;
    if (edits < least) [best, least] = [candidate, edits];
  }
  return best;
}

/** `; did you mean "WORD"?` for the end of a message, empty where no candidate is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const meant = nearest(word, candidates);
  return meant === undefined ? "" : `; did you mean "${meant}"?`;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn a into b. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let edits = Math.min(at(last, j) + 1, at(row, j - 1) + 1, replaced);
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (i > 1 && j > 1 && swapped) {
        edits = Math.min(edits, at(beforeLast, j - 2) + 1);
      }
      row.push(edits);
    }
    [beforeLast, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity;
}
