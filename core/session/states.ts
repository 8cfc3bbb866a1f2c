/**
 * The states of a transaction and the moves between them, as data.
 *
 * The code that moves a transaction asks this table: a move that is not here
 * can't be made.
 *
 * @module
 */
import type { PointName } from "../callback_points.ts";

/** One row: a state, the point that fires in it, and where it may lead. */
interface StateRow {
  readonly state: string;
  readonly point: PointName | null;
  readonly next: readonly string[];
  /** What happens in it, for the page of states. */
  readonly does: string;
}

/**
 * Every state in the order of a plain request. Each state but the last two may
 * also fail into `respond`, `deliver` or `finished`: those moves are in `ESCAPES`.
 */
export const TRANSACTION_STATES = [
  {
    state: "start",
    point: "transactionStart",
    next: ["head"],
    does: "the first byte of a request is there",
  },
  {
    state: "head",
    point: "readRequestHeader",
    next: ["locate"],
    does: "reads, parses and validates the head",
  },
  {
    state: "locate",
    point: "beforeLocation",
    next: ["product"],
    does: "finds the product by host",
  },
  {
    state: "product",
    point: "foundProduct",
    next: ["routed", "respond"],
    does: "finds the rule by condition: a cluster, a redirect or a response",
  },
  {
    state: "routed",
    point: "afterLocation",
    next: ["buffer", "lookup"],
    does: "the cluster is known",
  },
  {
    state: "buffer",
    point: "requestBuffered",
    next: ["lookup"],
    does: "has read the whole body, where the cluster wants that",
  },
  {
    state: "lookup",
    point: "cacheLookupComplete",
    next: ["forward"],
    does: "looks into the cache, where there is one",
  },
  {
    state: "forward",
    point: "forward",
    next: ["queue", "resolve", "forward"],
    does: "picks subcluster and backend for an attempt",
  },
  {
    state: "queue",
    point: null,
    next: ["resolve", "forward"],
    does:
      "waits for a free slot of the backend, where its connections are bounded",
  },
  {
    state: "resolve",
    point: "resolve",
    next: ["connect", "forward"],
    does: "finds the backend's addresses",
  },
  {
    state: "connect",
    point: "sendRequestHeader",
    next: ["wait", "forward"],
    does: "takes a pooled connection or dials, address by address",
  },
  {
    state: "wait",
    point: "readResponseHeader",
    next: ["wait", "respond", "forward", "tunnel"],
    does: "sends the request and waits for a head; interim ones are passed on",
  },
  {
    state: "respond",
    point: "readResponse",
    next: ["deliver"],
    does: "has the response for this client",
  },
  {
    state: "deliver",
    point: "sendResponseHeader",
    next: ["tunnel", "finished"],
    does: "sends head and body",
  },
  {
    state: "tunnel",
    point: null,
    next: ["forward", "finished"],
    does:
      "relays bytes or messages after a 101; a WebSocket session dials anew from here",
  },
  {
    state: "finished",
    point: "requestFinish",
    next: ["closed"],
    does: "the response is out or given up",
  },
  {
    state: "closed",
    point: "transactionClose",
    next: [],
    does: "everything is final",
  },
] as const satisfies readonly StateRow[];

/** The name of a state. */
export type TransactionState = (typeof TRANSACTION_STATES)[number]["state"];

/** Where failures and verdicts lead from any state that is not over yet. */
const ESCAPES: readonly TransactionState[] = ["respond", "deliver", "finished"];

const OVER: readonly TransactionState[] = ["finished", "closed"];

/** A state with its moves, a bit for each state: compared several times per request. */
export interface State {
  readonly name: TransactionState;
  readonly bit: number;
  /** The bits of the states that may follow. */
  readonly next: number;
}

/** Every state by its name. */
export type States = { readonly [S in TransactionState]: State };

/** The table's states and moves. */
export const STATES: States = Object.freeze(
  Object.fromEntries(
    TRANSACTION_STATES.map(({ state }, i) => [
      state,
      Object.freeze<State>({
        name: state,
        bit: 1 << i,
        next: bitsOf(movesFrom(state)),
      }),
    ]),
  ),
) as States;

function movesFrom(state: TransactionState): readonly TransactionState[] {
  const row = TRANSACTION_STATES.find((row) => row.state === state)!;
  if (OVER.includes(state)) return row.next;
  const late = state === "deliver" || state === "tunnel";
  return [...row.next, ...late ? ["finished" as const] : ESCAPES];
}

function bitsOf(states: readonly TransactionState[]): number {
  return TRANSACTION_STATES.reduce(
    (bits, { state }, i) => states.includes(state) ? bits | 1 << i : bits,
    0,
  );
}

/** Whether the table has this move. */
export function mayMove(from: State, to: State): boolean {
  return (from.next & to.bit) !== 0;
}

/** The bits of the states before this one, in the table's order. */
export function bitsBefore(name: TransactionState): number {
  return STATES[name].bit - 1;
}
