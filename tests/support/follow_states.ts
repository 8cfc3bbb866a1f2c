/**
 * Checks that what a tracer noted is a way through the table of states.
 *
 * @module
 */
import {
  type Moves,
  TRANSACTION_STATES,
  type TransactionState,
} from "../../core/session/states.ts";

const ROWS = new Map(TRANSACTION_STATES.map((row) => [row.state, row]));

/**
 * Throws where the events of a transaction, one after another, are no way
 * through the table: a point in the wrong place, one that was left out, or an
 * end before `closed`. Events of sessions are passed over.
 */
export function followStates(events: readonly string[]): void {
  let places: TransactionState[] = [];
  events.forEach((event, i) => {
    const point = event.split(" ")[0]!;
    if (point === "accept" || point === "handshake" || point === "finish") {
      return;
    }
    if (point === "transactionStart") {
      if (places.length > 0) throw broken(events, i);
      places = ["start"];
      return;
    }
    places = [...silently(places)]
      .filter((state) => ROWS.get(state)!.point === point);
    if (places.length === 0) throw broken(events, i);
    if (point === "transactionClose") places = [];
  });
  if (places.length > 0) throw broken(events, events.length);
}

/**
 * Everywhere that can be reached without another point: a state whose point did
 * not fire is left by a verdict or a failure only.
 */
function silently(
  places: readonly TransactionState[],
): ReadonlySet<TransactionState> {
  const entered = new Set<TransactionState>();
  const enter = (moves: Moves) => {
    for (const to of Object.keys(moves) as TransactionState[]) entered.add(to);
  };
  for (const state of places) {
    enter(ROWS.get(state)!.next);
    enter(ROWS.get(state)!.otherwise);
  }
  // Grows while it is walked.
  for (const state of entered) {
    const { point, next, otherwise } = ROWS.get(state)!;
    // One that looks for alternates may find none to ask about.
    if (point === null || point === "selectAlternate") enter(next);
    enter(otherwise);
  }
  return entered;
}

function broken(events: readonly string[], at: number): Error {
  return new Error(
    `No way through the table of states has ${events[at] ?? "the end"} after ${
      events.slice(0, at).join(", ")
    }`,
  );
}
