/**
 * What a WebSocket session goes by, needs of its surroundings and tells them.
 *
 * @module
 */
import type { WsMessage } from "../plugin.ts";
import type { BackendSide, Dialled, MessageSizes } from "./backend_side.ts";
import type { MessageKind } from "./link.ts";

/** Why a session goes to another backend; metrics' label. */
export type MoveReason = "lost" | "closed" | "silent" | "admin" | "drain";

/** What a session goes by; durations in milliseconds. */
export interface SessionSettings {
  /** How long a client is held without a backend. */
  readonly hold: number;
  /** Bytes of messages kept until they are known to be read; undefined: none, each is sent at most once. */
  readonly replay: number | undefined;
  /** How long a backend that is left may take to finish. */
  readonly drain: number;
  /** A fence must be answered within this. */
  readonly pongTimeout: number;
  /** Close codes of a backend that mean that it failed. */
  readonly abnormalCodes: ReadonlySet<number>;
  /** Without a message for so long it ends. */
  readonly idle: number;
}

/** A dial that is wanted. */
export interface DialRequest {
  /** The backend that is left and not to be dialled; undefined where any will do. */
  readonly leaving: string | undefined;
  /** Messages that may come to the new backend for the second time. */
  readonly replayed: number;
  /** Fires when nobody wants the connection any more. */
  readonly signal: AbortSignal;
}

/** A message on its way through valves: the bytes are valid within the call only; null discards it. Never throws. */
export type Gate = (kind: MessageKind, bytes: Uint8Array) => WsMessage | null;

/** What a session needs of its surroundings and tells them. */
export interface SessionOwner {
  /** Rejects with a {@linkcode DialRefusal} of `redial.ts`. */
  dial(request: DialRequest): Promise<Dialled>;
  /** From the client to the backend; undefined where no valve is. */
  readonly transmit: Gate | undefined;
  /** From the backend to the client. */
  readonly receive: Gate | undefined;
  /** It has left a backend and is on another one. */
  moved(from: BackendSide, to: BackendSide, reason: MoveReason): void;
  /** Who counts the messages of the backend of this id, each once. */
  sizes(backendId: string): MessageSizes;
  /** It has one backend and may be moved again. */
  settled(): void;
  /** So many messages were sent a second time. */
  replayed(count: number): void;
  /** The client was without a backend for so many milliseconds. */
  gap(milliseconds: number): void;
}
