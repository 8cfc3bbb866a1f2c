/**
 * Health of backends as a cluster's config has it. Units as in `config.ts`.
 *
 * @module
 */
import type { StatusRange } from "./units.ts";

/** Active health checks, made once per process. */
export interface HealthConfig {
  /** `http` (default) sends a request; with `tcp` a connection is enough. */
  readonly type: "http" | "tcp";
  /** Default GET. */
  readonly method: string;
  /** Path and query; the backend's own path comes before it, as with any request. Default `/`. */
  readonly path: string;
  /** The Host header; undefined = the backend's. */
  readonly host: string | undefined;
  /** What counts as healthy. Default 200-399. */
  readonly statuses: readonly StatusRange[];
  /** Text that the first 64 KiB of the body must contain; undefined = any body. */
  readonly body: string | undefined;
  /**
   * Milliseconds from the start of a check to that of the next, give or take
   * 10 %; half of it while the result is about to change. Default 2 s.
   */
  readonly interval: number;
  /** Milliseconds that one may take in all. Default 1 s. */
  readonly timeout: number;
  /** Good checks in a row that bring a backend up. Default 2. */
  readonly rise: number;
  /** Bad checks in a row that take it down; the very first one does at once. Default 3. */
  readonly fall: number;
}

/**
 * Health by what requests meet, over all workers: a backend that fails is ejected
 * for a while, then one request at a time tries it. Left out, only one that let a
 * connection or its TLS handshake hang is, for 10 s and while others serve.
 */
export interface PassiveHealthConfig {
  /** Failures in a row that eject a backend: it can't be reached, breaks or goes silent before its answer, or answers one of `statuses`. Default 5. */
  readonly failures: number;
  /** Statuses that count as failures. Default 502-504. */
  readonly statuses: readonly StatusRange[];
  /** Milliseconds that it is left alone. Default 10 s. */
  readonly coolDown: number;
}

/** The circuit breaker before each backend, over all workers; operators can reset it. */
export interface BreakerConfig {
  /** Failures in a row that open it: the backend can't be reached, breaks or goes silent before its answer. Default 5. */
  readonly failures: number;
  /** Milliseconds until one request at a time tries the backend. Default 30 s. */
  readonly reset: number;
}
