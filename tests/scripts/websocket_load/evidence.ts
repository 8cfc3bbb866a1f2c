/**
 * Evidence of runs that never were.
 *
 * @module
 */
import type { ConnectionRecord } from "../../../scripts/websocket_load/record_book.ts";
import type {
  ClientRecord,
  Delivery,
} from "../../../scripts/websocket_load/client.ts";
import type { Evidence } from "../../../scripts/websocket_load/traffic.ts";

/** One connection of the session 1; what is left out is empty. */
export interface ConnectionParts {
  readonly session?: number;
  readonly backend?: number;
  readonly openedAt?: number;
  /** Numbers of messages, received at the moments 1, 2, 3 …; or with their moments. */
  readonly received?: readonly (number | readonly [number, number])[];
  /** What its messages answer, all written. */
  readonly sent?: readonly number[];
  readonly written?: number;
}

/** Connections with the ids 100, 101, …, as they were opened. */
export function connectionsOf(
  ...parts: readonly ConnectionParts[]
): ConnectionRecord[] {
  return parts.map((part, i) => {
    const { session = 1, backend = i + 1, openedAt = i, sent = [] } = part;
    return {
      id: 100 + i,
      backend,
      session,
      openedAt,
      promised: 0,
      received: (part.received ?? []).map((each, place) =>
        typeof each === "number"
          ? { number: each, at: 1_000 * i + place + 1 }
          : { number: each[0], at: each[1] }
      ),
      sent,
      written: part.written ?? sent.length,
    };
  });
}

/** A delivery by connection, number, and moment. */
export function delivery(
  connection: number,
  number: number,
  at = 0,
  answers = number,
): Delivery {
  return { connection, number, answers, at };
}

/** The session 1; what is left out is empty. */
export function evidenceOf(
  client: Partial<ClientRecord>,
  connections: readonly ConnectionRecord[],
  endedAt = 0,
): Evidence {
  return {
    clients: [{
      session: 1,
      sent: 0,
      delivered: [],
      ended: undefined,
      ...client,
    }],
    connections,
    endedAt,
    late: 0,
  };
}
