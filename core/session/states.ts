/**
 * The states of a transaction and the moves between them, as data.
 *
 * The code that moves a transaction asks this table: a move that is not here
 * can't be made, and a point fires in its state only. The page of
 * `headrace points`, README's picture and the tests of sequences are made from
 * it.
 *
 * @module
 */
import { POINT, type PointName } from "../callback_points.ts";

/** The name of a state. */
export type TransactionState =
  | "start"
  | "head"
  | "locate"
  | "product"
  | "routed"
  | "buffer"
  | "select"
  | "stored"
  | "lookup"
  | "forward"
  | "queue"
  | "resolve"
  | "connect"
  | "wait"
  | "respond"
  | "deliver"
  | "tunnel"
  | "finished"
  | "closed";

/** The states that a state leads to, each with what has it go there. */
export type Moves = { readonly [S in TransactionState]?: string };

/** One row: a state, the point that fires in it, and where it may lead. */
export interface StateRow {
  readonly state: TransactionState;
  /** Null where none fires. */
  readonly point: PointName | null;
  /** What happens in it. */
  readonly does: string;
  /** Where it leads when all goes well. */
  readonly next: Moves;
  /** Where verdicts and failures lead. */
  readonly otherwise: Moves;
}

const ANSWERED = "a handler answers, or it fails";
const GIVEN_UP = "a handler closes, or the client leaves";
const ELSEWHERE = "it fails, and another attempt may follow";

/** Every state, in the order of a request that passes them all. */
export const TRANSACTION_STATES: readonly StateRow[] = [
  {
    state: "start",
    point: "transactionStart",
    does: "the first byte of a request is there",
    next: { head: "the handlers let it" },
    otherwise: { finished: "a handler closes or fails" },
  },
  {
    state: "head",
    point: "readRequestHeader",
    does: "reads, parses and validates the head",
    next: { locate: "it is valid" },
    otherwise: {
      respond: ANSWERED,
      deliver: "the head is malformed, too long or late",
      finished: GIVEN_UP,
    },
  },
  {
    state: "locate",
    point: "beforeLocation",
    does: "finds the product by host",
    next: { product: "there is one" },
    otherwise: { respond: ANSWERED, finished: GIVEN_UP },
  },
  {
    state: "product",
    point: "foundProduct",
    does: "finds the rule by condition: a cluster, a redirect or a response",
    next: { routed: "it is a cluster", respond: "the rule answers" },
    otherwise: { finished: GIVEN_UP },
  },
  {
    state: "routed",
    point: "afterLocation",
    does: "the cluster is known",
    next: {
      buffer: "the cluster wants bodies whole",
      select: "the request may be answered by the cache",
      lookup: "it may not",
    },
    otherwise: { respond: ANSWERED, finished: GIVEN_UP },
  },
  {
    state: "buffer",
    point: "requestBuffered",
    does: "reads the whole body",
    next: { lookup: "a request with a body is not answered by the cache" },
    otherwise: { respond: ANSWERED, finished: GIVEN_UP },
  },
  {
    state: "select",
    point: "selectAlternate",
    does: "chooses among the responses that are stored",
    next: {
      select: "who fetches the same is done: it looks again",
      stored: "one fits",
      lookup: "none does",
    },
    otherwise: { respond: ANSWERED, finished: GIVEN_UP },
  },
  {
    state: "stored",
    point: "readCacheHeader",
    does: "judges whether the stored response is fresh",
    next: { lookup: "it is known" },
    otherwise: { respond: ANSWERED, finished: GIVEN_UP },
  },
  {
    state: "lookup",
    point: "cacheLookupComplete",
    does: "knows what the cache has: nothing, what is stale, what is fresh",
    next: { forward: "a backend is to be asked", respond: "the cache answers" },
    otherwise: { finished: GIVEN_UP },
  },
  {
    state: "forward",
    point: "forward",
    does: "picks subcluster and backend for an attempt",
    next: {
      resolve: "the backend has a free slot",
      queue: "its connections are bounded, and none is free",
    },
    otherwise: {
      forward: "a WebSocket session looks for a backend again",
      respond: ANSWERED,
      finished: GIVEN_UP,
    },
  },
  {
    state: "queue",
    point: null,
    does: "waits for a free slot of a backend",
    next: { resolve: "there is one" },
    otherwise: {
      forward: "a WebSocket session looks for a backend again",
      respond: "the queue is full or too slow",
      finished: GIVEN_UP,
    },
  },
  {
    state: "resolve",
    point: "resolve",
    does: "finds the backend's addresses",
    next: { connect: "they are known" },
    otherwise: { forward: ELSEWHERE, respond: ANSWERED, finished: GIVEN_UP },
  },
  {
    state: "connect",
    point: "sendRequestHeader",
    does: "takes a pooled connection or dials, address by address",
    next: { wait: "the request is sent" },
    otherwise: { forward: ELSEWHERE, respond: ANSWERED, finished: GIVEN_UP },
  },
  {
    state: "wait",
    point: "readResponseHeader",
    does: "waits for a head; interim ones are passed on",
    next: {
      wait: "it was an interim one",
      respond: "it is the final one",
      tunnel: "a WebSocket session has another backend",
    },
    otherwise: {
      forward: "it fails or is to be retried, and another attempt may follow",
      finished: GIVEN_UP,
    },
  },
  {
    state: "respond",
    point: "readResponse",
    does: "has the response for this client",
    next: { deliver: "nobody replaces it any more" },
    otherwise: { finished: GIVEN_UP },
  },
  {
    state: "deliver",
    point: "sendResponseHeader",
    does: "sends head and body",
    next: { finished: "all is sent", tunnel: "it was a 101" },
    otherwise: {},
  },
  {
    state: "tunnel",
    point: null,
    does: "relays bytes or messages after a 101",
    next: { finished: "both directions are over" },
    otherwise: { forward: "a WebSocket session has lost its backend" },
  },
  {
    state: "finished",
    point: "requestFinish",
    does: "the response is out or given up",
    next: { closed: "the handlers are done" },
    otherwise: {},
  },
  {
    state: "closed",
    point: "transactionClose",
    does: "everything is final",
    next: {},
    otherwise: {},
  },
];

/** A state with its moves, a bit for each state: compared several times per request. */
export interface State {
  readonly name: TransactionState;
  readonly bit: number;
  /** The bits of the states that may follow. */
  readonly next: number;
  /** The number of the point that fires in it, -1 where none does. */
  readonly point: number;
}

/** Every state by its name. */
export type States = { readonly [S in TransactionState]: State };

/** The table's states and moves. */
export const STATES: States = Object.freeze(
  Object.fromEntries(
    TRANSACTION_STATES.map(({ state, point, next, otherwise }, i) => [
      state,
      Object.freeze<State>({
        name: state,
        bit: 1 << i,
        next: bitsOf({ ...next, ...otherwise }),
        point: point === null ? -1 : POINT[point],
      }),
    ]),
  ),
) as unknown as States;

function bitsOf(moves: Moves): number {
  return TRANSACTION_STATES.reduce(
    (bits, { state }, i) => state in moves ? bits | 1 << i : bits,
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
