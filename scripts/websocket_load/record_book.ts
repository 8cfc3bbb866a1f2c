/**
 * What all backends of a run have told, by their connections.
 *
 * @module
 */
import { type BackendRecord, CONNECTIONS, RECORD } from "./records.ts";

/** A message that a backend got. */
export interface Receipt {
  readonly number: number;
  /** Microseconds of the clock that all processes share. */
  readonly at: number;
}

/** What was told of one connection of a backend. */
export interface ConnectionRecord {
  readonly id: number;
  /** The backend process. */
  readonly backend: number;
  readonly session: number;
  /** Milliseconds of the harness's clock. */
  readonly openedAt: number;
  /** Replayed messages that its handshake promised. */
  readonly promised: number;
  /** In their order. */
  readonly received: readonly Receipt[];
  /** For each message to the client, in their order, what it answers; 0 for a push. */
  readonly sent: readonly number[];
  /** The system has taken the messages up to this number, counted from 1. */
  readonly written: number;
}

/** Keeps them. */
export class RecordBook {
  /** Records so far. */
  size = 0;
  readonly #connections = new Map<
    number,
    { received: Receipt[]; sent: number[]; written: number } & ConnectionRecord
  >();

  /** Every connection, as they were opened. */
  get connections(): readonly ConnectionRecord[] {
    return [...this.#connections.values()];
  }

  /** Takes one. */
  add(record: BackendRecord): void {
    const { type, connection: id, session, number, answers, at } = record;
    this.size++;
    if (type === RECORD.opened) {
      this.#connections.set(id, {
        id,
        backend: Math.floor(id / CONNECTIONS),
        session,
        openedAt: performance.now(),
        promised: number,
        received: [],
        sent: [],
        written: 0,
      });
      return;
    }
    const connection = this.#connections.get(id);
    if (connection === undefined) {
      throw new Error(`A record of a connection that was not opened: ${id}`);
    }
    if (type === RECORD.received) {
      connection.received.push({ number, at });
    } else if (type === RECORD.sending) {
      if (connection.sent.push(answers) !== number) {
        throw new Error(`Connection ${id} skipped a message before ${number}`);
      }
    } else if (type === RECORD.written) {
      connection.written = number;
    } else {
      throw new Error(`A record of an unknown type: ${type}`);
    }
  }
}
