/**
 * What was run, and which goals it misses.
 *
 * @module
 */
import type { FailoverRow } from "./failover_rows.ts";
import { IDLE_GOAL, type IdleFigures } from "./idle_row.ts";
import type { RelayFigures, RelayRow } from "./relay_rows.ts";
import type { FailoverFigures } from "./run_failover.ts";

/** A row that was run, or why it has no figures. */
export type FailoverResult =
  & { readonly row: FailoverRow }
  & (
    | { readonly figures: FailoverFigures; readonly failure?: undefined }
    | { readonly failure: string }
  );

/** A relay row of all targets. */
export interface RelayResult {
  readonly row: RelayRow;
  readonly figures: readonly RelayFigures[];
}

/** Everything that was run. */
export interface Results {
  readonly failover: readonly FailoverResult[];
  readonly relay: readonly RelayResult[];
  readonly idle: readonly IdleFigures[];
}

/** One line for each goal that is missed, and for each row that could not be run. */
export function misses({ failover, relay, idle }: Results): string[] {
  return [
    ...failover.flatMap((result) => {
      const { row } = result;
      if (result.failure !== undefined) {
        return [`${row.name}: ${result.failure}`];
      }
      return missedGoals(row, result.figures).map((m) => `${row.name}: ${m}`);
    }),
    ...relay.flatMap(({ row, figures }) => {
      const { cpu } = figures[0]!;
      return row.goal === undefined || cpu <= row.goal
        ? []
        : [`${row.name}: ${cpu.toFixed(2)} µs, at most ${row.goal}`];
    }),
    ...idle.slice(0, 1).flatMap((figures) =>
      (["fresh", "small", "large"] as const)
        .filter((key) => figures[key] > IDLE_GOAL)
        .map((key) =>
          `idle, ${key}: ${figures[key].toFixed(1)} KB, at most ${IDLE_GOAL}`
        )
    ),
  ];
}

/** The gap's median may be so long where another backend is up, in milliseconds. */
const GAP = 15;

/** Which of the goals the row misses, in words. */
function missedGoals(
  row: FailoverRow,
  figures: FailoverFigures,
): string[] {
  const crash = row.kind === "crash";
  const { backends = 2, stalled = 0 } = row;
  const zero: (keyof FailoverFigures)[] = [
    "upLost",
    "upReordered",
    "downLost",
    "downDuplicated",
    "downReordered",
    "stuck",
    ...crash ? [] : ["upDuplicated" as const, "unanswered" as const],
  ];
  const missed = zero.filter((key) => figures[key] !== 0)
    .map((key) => `${key} ${figures[key]}, not 0`);
  if (figures.closed.length > 0) missed.push(`closed ${figures.closed.length}`);
  if (figures.moved === 0) missed.push("no session moved");
  if (crash && figures.upDuplicated > figures.replayed) {
    missed.push(
      `upDuplicated ${figures.upDuplicated}, ${figures.replayed} replayed`,
    );
  }
  // The pause of a row ends when the system has closed the sockets of what was killed.
  const silence = stalled > 0 ? Math.max(stalled, figures.dying) : 0;
  if (backends > 1 && figures.gapMedian - silence > GAP) {
    missed.push(
      `gap ${figures.gapMedian.toFixed(1)} ms, at most ${
        Number((silence + GAP).toFixed(1))
      }`,
    );
  }
  return missed;
}
