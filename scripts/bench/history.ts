/**
 * What was measured at which commit: `tests/bench/history.jsonl`, a line each.
 *
 * @module
 */
import type { Machine } from "./machine.ts";
import type { Row } from "./results.ts";

const FILE = new URL("../../tests/bench/history.jsonl", import.meta.url);

/** One line. */
export interface Entry {
  readonly commit: string;
  /** As Headrace's config has it; in the first line, which has none, `standard`. */
  readonly io: "standard" | "direct";
  /** ISO 8601. */
  readonly date: string;
  readonly machine: Machine;
  readonly runs: number;
  /** Of each measurement. */
  readonly seconds: number;
  readonly rows: readonly Row[];
}

/** Appends one. */
export async function save(entry: Entry): Promise<void> {
  const line = JSON.stringify(entry, (_, value) =>
    // Six digits are more than a measurement has.
    typeof value === "number" ? Number(value.toPrecision(6)) : value);
  await Deno.writeTextFile(FILE, `${line}\n`, { append: true });
}
