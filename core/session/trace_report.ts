/**
 * What is told of a transaction that was asked to tell: plain data.
 *
 * @module
 */
import type { PointName, VerdictKind } from "../callback_points.ts";
import type { FailureCode } from "../errors.ts";
import type { Timings } from "../plugin.ts";
import type { TransactionState } from "./states.ts";

/** A transaction's way. Times are milliseconds since its start, unless said otherwise. */
export interface TraceReport {
  readonly id: string;
  readonly session: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** What it does now; `closed` once it is over. */
  readonly state: TransactionState;
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly host: string;
  /** As the client sent it. */
  readonly target: string;
  readonly client: string;
  readonly listener: string;
  readonly product: string | undefined;
  /** The rule's place in the product, from 1; undefined where none was followed. */
  readonly rule: number | undefined;
  readonly cluster: string | undefined;
  readonly steps: readonly TraceStep[];
  /** Steps beyond those that are kept. */
  readonly stepsLost: number | undefined;
  readonly attempts: readonly TracedAttempt[];
  /** 0 before there is one. */
  readonly status: number;
  readonly error: TracedError | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly timings: Timings;
}

/** A state that was entered, or a point that fired. */
export type TraceStep = TracedState | TracedPoint;

/** A state, from here on. */
export interface TracedState {
  readonly at: number;
  readonly state: TransactionState;
}

/** A callback point. */
export interface TracedPoint {
  readonly at: number;
  readonly point: PointName;
  /** Those that ran, in order; left out where nobody handles the point. */
  handlers?: TracedHandler[];
  /** What the last handler answered besides going on. */
  verdict?: VerdictKind;
}

/** A handler that ran. */
export interface TracedHandler {
  readonly plugin: string;
  readonly scope: "global" | "product" | "session" | "transaction";
  /** How long it took, in milliseconds; left out while it runs. */
  ms?: number;
  /** Its failure, an ignored one too. */
  error?: TracedError;
}

/** One try to get a response from a backend. */
export interface TracedAttempt {
  readonly number: number;
  readonly cluster: string;
  readonly subcluster: string;
  readonly backend: string;
  /** It wanted this backend and no other: by a cookie, or a handler's word. */
  readonly pinned: boolean;
  readonly addresses: readonly string[];
  /** The address that the connection leads to. */
  readonly remote: string | undefined;
  /** Whether the connection was a pooled one. */
  readonly reused: boolean | undefined;
  /** 0 without a response. */
  readonly status: number;
  readonly error: TracedError | undefined;
}

/** A failure. */
export interface TracedError {
  readonly code: FailureCode;
  readonly message: string;
}
