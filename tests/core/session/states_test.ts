/**
 * The table of states: complete, connected, and obeyed.
 *
 * @module
 */
import {
  CALLBACK_POINTS,
  POINT,
  type PointName,
} from "../../../core/callback_points.ts";
import {
  mayMove,
  STATES,
  TRANSACTION_STATES,
  type TransactionState,
} from "../../../core/session/states.ts";
import { assert, assertEquals } from "../../support/assert.ts";

/** Points of sessions. */
const STATELESS: readonly PointName[] = ["accept", "handshake", "finish"];

const NAMES = TRANSACTION_STATES.map(({ state }) => state);

/** The states that may follow each state. */
const MOVES = new Map(
  NAMES.map((from) => [
    from,
    new Set(NAMES.filter((to) => mayMove(STATES[from], STATES[to]))),
  ]),
);

Deno.test("TRANSACTION_STATES has each of a transaction's points exactly once", () => {
  const points = TRANSACTION_STATES.flatMap(({ point }): PointName[] =>
    point === null ? [] : [point]
  );
  assertEquals(new Set(points).size, points.length);
  assertEquals(
    CALLBACK_POINTS.map(({ name }) => name).filter((name) =>
      !points.includes(name)
    ),
    STATELESS.slice(),
  );
});

Deno.test("TRANSACTION_STATES has its points in the table's order", () => {
  const places = TRANSACTION_STATES.flatMap(({ point }) =>
    point === null
      ? []
      : [CALLBACK_POINTS.findIndex(({ name }) => name === point)]
  );
  assertEquals(places, places.toSorted((a, b) => a - b));
});

Deno.test("TRANSACTION_STATES names each state once, says what it does and why it is left", () => {
  assertEquals(new Set(NAMES).size, NAMES.length);
  assertEquals(NAMES.toSorted(), Object.keys(STATES).toSorted());
  for (const { does, next, otherwise } of TRANSACTION_STATES) {
    for (const text of [does, ...Object.values({ ...next, ...otherwise })]) {
      assert(text.length > 0);
    }
    for (const to of Object.keys(otherwise)) assert(!(to in next), to);
  }
});

Deno.test("every state is reached from the first one", () => {
  const reached = new Set<TransactionState>([NAMES[0]!]);
  for (const state of reached) {
    for (const next of MOVES.get(state)!) reached.add(next);
  }
  assertEquals([...reached].sort(), NAMES.toSorted());
});

Deno.test("every state leads to closed, and only finished does so directly", () => {
  for (const state of NAMES) {
    const reached = new Set<TransactionState>([state]);
    for (const each of reached) {
      for (const next of MOVES.get(each)!) reached.add(next);
    }
    assert(reached.has("closed"), state);
    assertEquals(MOVES.get(state)!.has("closed"), state === "finished");
  }
});

Deno.test("every state but the last two may be given up: it leads to finished", () => {
  for (const state of NAMES) {
    const over = state === "finished" || state === "closed";
    assertEquals(MOVES.get(state)!.has("finished"), !over, state);
  }
});

Deno.test("nothing leads out of closed, and from finished only to closed", () => {
  assertEquals([...MOVES.get("closed")!], []);
  assertEquals([...MOVES.get("finished")!], ["closed"]);
});

Deno.test("a response never becomes another one once its head is due", () => {
  for (const late of ["deliver", "tunnel"] as const) {
    for (const early of ["respond", "locate", "head"] as const) {
      assert(!MOVES.get(late)!.has(early), `${late} to ${early}`);
    }
  }
  // Only a WebSocket session that lives already looks for another backend.
  assert(!MOVES.get("deliver")!.has("forward"));
  assert(MOVES.get("tunnel")!.has("forward"));
});

Deno.test("mayMove allows what the rows say, and no leap", () => {
  for (const { state, point, next, otherwise } of TRANSACTION_STATES) {
    assertEquals(
      [...MOVES.get(state)!].sort(),
      Object.keys({ ...next, ...otherwise }).sort(),
    );
    assertEquals(STATES[state].name, state);
    assertEquals(STATES[state].point, point === null ? -1 : POINT[point]);
  }
  for (
    const [from, to] of [
      ["start", "forward"],
      ["start", "respond"],
      ["locate", "deliver"],
      ["head", "product"],
      ["forward", "connect"],
      ["wait", "closed"],
      ["deliver", "respond"],
      ["tunnel", "deliver"],
      ["finished", "finished"],
    ] as const
  ) {
    assert(!mayMove(STATES[from], STATES[to]), `${from} to ${to}`);
  }
});
