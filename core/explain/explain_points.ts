/**
 * Which callback points a request would come to, and who handles them.
 *
 * @module
 */
import { POINT, type PointName } from "../callback_points.ts";
import type { BoundHandler } from "../session/handlers.ts";
import {
  TRANSACTION_STATES,
  type TransactionState,
} from "../session/states.ts";
import type { ListenerRuntime } from "../snapshot/snapshot.ts";
import type { HandlerFacts, PointHandlers } from "./explanation.ts";

/** How far a request comes. */
export interface Reached {
  /** The last state whose point fires before there is a response. */
  readonly state: TransactionState;
  /** Whether its head could be read. */
  readonly parsed: boolean;
  /** The product's name, once it is found. */
  readonly product: string | undefined;
  /** Whether its body is read whole before a backend is chosen. */
  readonly buffered: boolean;
}

/** States that every transaction ends with. */
const ENDING: readonly TransactionState[] = [
  "respond",
  "deliver",
  "finished",
  "closed",
];

/** States of requests that the cache may answer, and there is none. */
const CACHED: readonly TransactionState[] = ["select", "stored"];

/** The points of a transaction that comes so far, with those of its connection. */
export function explainPoints(
  listener: ListenerRuntime,
  reached: Reached,
): PointHandlers[] {
  const { product } = reached;
  const { handlers: global } = listener;
  // Once the product is known its handlers come in, behind the global ones.
  const table = product === undefined ? global : listener.handlersOf(product);
  const known = POINT.foundProduct;
  return pointsTo(listener, reached).map((point) => {
    const place = POINT[point];
    const ofSession = point === "finish" || place < known;
    const list = (ofSession ? global : table)[place] ?? [];
    return { point, handlers: list.map((one) => facts(one, global)) };
  });
}

/** The points of a connection of a tcp listener. */
export function explainTcpPoints(listener: ListenerRuntime): PointHandlers[] {
  const { handlers } = listener;
  return [...opening(listener), "finish" as const].map((point) => ({
    point,
    handlers: (handlers[POINT[point]] ?? []).map((one) => facts(one, handlers)),
  }));
}

function opening({ config }: ListenerRuntime): PointName[] {
  return config.tls === undefined ? ["accept"] : ["accept", "handshake"];
}

function pointsTo(
  listener: ListenerRuntime,
  { state: last, parsed, buffered }: Reached,
): PointName[] {
  const names = TRANSACTION_STATES.map(({ state }) => state);
  const way = TRANSACTION_STATES.slice(0, names.indexOf(last) + 1)
    .filter(({ state }) =>
      !CACHED.includes(state) && (state !== "buffer" || buffered)
    );
  const ending = TRANSACTION_STATES.filter(({ state }) =>
    // Requests that never parsed skip readResponse.
    ENDING.includes(state) && (state !== "respond" || parsed)
  );
  return [
    ...opening(listener),
    ...[...way, ...ending].flatMap(({ point }) => point ?? []),
    "finish",
  ];
}

function facts(
  handler: BoundHandler,
  global: ListenerRuntime["handlers"],
): HandlerFacts {
  const { plugin, point, order } = handler;
  const isGlobal = global[POINT[point]]?.includes(handler) === true;
  return { plugin, scope: isGlobal ? "global" : "product", order };
}
