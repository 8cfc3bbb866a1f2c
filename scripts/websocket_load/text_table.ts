/**
 * Tables for terminals.
 *
 * @module
 */

/** Columns under their heads, the first one at the left, the others at the right. */
export function textTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = heads.map((head, i) =>
    Math.max(head.length, ...rows.map((row) => row[i]?.length ?? 0))
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)
    ).join("  ").trimEnd();
  return [heads, ...rows].map(line).join("\n");
}

/** A figure with so many decimals; `-` where there is none. */
export function figure(value: number, decimals = 0): string {
  return Number.isNaN(value) ? "-" : value.toFixed(decimals);
}
