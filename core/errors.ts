/**
 * The one class of failures of the data path.
 *
 * Side and code pick the status, the metric's label and the log's field; the
 * place that throws does not (Pingora's error model).
 *
 * @module
 */
import type { Failure } from "./plugin.ts";

/** A condition, or a handler too early, asks for a body that was not read. */
export class BodyWanted extends TypeError {}

/** Whose fault a failure is. */
export type Side = Failure["side"];

/**
 * Whether the same request may be sent again: `if-reused` where it failed on a
 * pooled connection that the backend may have closed in the meantime.
 */
export type RetrySafety = "never" | "if-reused" | "always";

/** What a failure means: its side, the status a client gets, and whether a retry is safe. */
interface Meaning {
  readonly side: Side;
  /** 0: the client gets nothing, the connection just closes. */
  readonly status: number;
  readonly retry: RetrySafety;
}

/** Every code of the data path; the statuses are design.md §2's. */
export const FAILURES = {
  // What the client sent.
  bad_request: { side: "client", status: 400, retry: "never" },
  method_not_allowed: { side: "client", status: 405, retry: "never" },
  request_timeout: { side: "client", status: 408, retry: "never" },
  body_too_large: { side: "client", status: 413, retry: "never" },
  target_too_long: { side: "client", status: 414, retry: "never" },
  expectation_failed: { side: "client", status: 417, retry: "never" },
  headers_too_large: { side: "client", status: 431, retry: "never" },
  coding_not_implemented: { side: "client", status: 501, retry: "never" },
  version_not_supported: { side: "client", status: 505, retry: "never" },
  // What it sent where TLS was to begin.
  not_tls: { side: "client", status: 0, retry: "never" },
  bad_client_hello: { side: "client", status: 0, retry: "never" },
  tls_name_unknown: { side: "client", status: 0, retry: "never" },
  tls_handshake_timeout: { side: "client", status: 0, retry: "never" },
  // The client left, or takes no bytes: nothing can be sent any more.
  client_closed: { side: "client", status: 499, retry: "never" },
  client_idle: { side: "client", status: 0, retry: "never" },
  too_many_connections: { side: "client", status: 0, retry: "never" },
  // The PROXY header before it: from somebody who may not send one, none where
  // one is required, one that breaks the protocol, not whole in time.
  proxy_header_untrusted: { side: "client", status: 0, retry: "never" },
  proxy_header_missing: { side: "client", status: 0, retry: "never" },
  proxy_header_invalid: { side: "client", status: 0, retry: "never" },
  proxy_header_timeout: { side: "client", status: 0, retry: "never" },
  client_write_timeout: { side: "client", status: 499, retry: "never" },
  // A WebSocket session's client.
  websocket_handshake: { side: "client", status: 400, retry: "never" },
  origin_refused: { side: "client", status: 403, retry: "never" },
  client_bad_frame: { side: "client", status: 0, retry: "never" },
  client_silent: { side: "client", status: 0, retry: "never" },
  // Its TLS handshake with us, and what it asked for behind it.
  tls_handshake_failed: { side: "client", status: 0, retry: "never" },
  client_cert_missing: { side: "client", status: 0, retry: "never" },
  client_cert_refused: { side: "client", status: 0, retry: "never" },
  misdirected_request: { side: "client", status: 421, retry: "never" },
  // Finding the way.
  no_product: { side: "proxy", status: 404, retry: "never" },
  no_rule: { side: "proxy", status: 404, retry: "never" },
  no_backend: { side: "proxy", status: 503, retry: "never" },
  buffer_failed: { side: "proxy", status: 503, retry: "never" },
  // What is stored can't be brought: its disk or the worker that owns it fails.
  cache_failed: { side: "proxy", status: 500, retry: "never" },
  blackholed: { side: "proxy", status: 503, retry: "never" },
  queue_full: { side: "proxy", status: 503, retry: "never" },
  queue_timeout: { side: "proxy", status: 503, retry: "never" },
  loop_detected: { side: "proxy", status: 508, retry: "never" },
  head_overflow: { side: "proxy", status: 500, retry: "never" },
  shutting_down: { side: "proxy", status: 0, retry: "never" },
  internal: { side: "proxy", status: 500, retry: "never" },
  // Backends.
  name_not_resolved: { side: "backend", status: 502, retry: "always" },
  connect_refused: { side: "backend", status: 502, retry: "always" },
  connect_failed: { side: "backend", status: 502, retry: "always" },
  connect_timeout: { side: "backend", status: 504, retry: "always" },
  // TLS to backends: no byte of the request was sent.
  backend_untrusted: { side: "backend", status: 502, retry: "always" },
  backend_wrong_name: { side: "backend", status: 502, retry: "always" },
  backend_refused_certificate: {
    side: "backend",
    status: 502,
    retry: "always",
  },
  backend_handshake_failed: { side: "backend", status: 502, retry: "always" },
  backend_handshake_timeout: { side: "backend", status: 504, retry: "always" },
  backend_closed: { side: "backend", status: 502, retry: "if-reused" },
  backend_timeout: { side: "backend", status: 504, retry: "never" },
  bad_response: { side: "backend", status: 502, retry: "never" },
  response_too_large: { side: "backend", status: 502, retry: "never" },
  response_truncated: { side: "backend", status: 502, retry: "never" },
  // A WebSocket session's backend.
  upgrade_refused: { side: "backend", status: 502, retry: "always" },
  backend_bad_frame: { side: "backend", status: 502, retry: "never" },
  backend_silent: { side: "backend", status: 504, retry: "never" },
  // Plugins.
  handler_error: { side: "plugin", status: 500, retry: "never" },
  handler_timeout: { side: "plugin", status: 500, retry: "never" },
} as const satisfies Record<string, Meaning>;

/** The name of a failure. */
export type FailureCode = keyof typeof FAILURES;

/** A failure of the data path. */
export class ProxyError extends Error implements Failure {
  override readonly name = "ProxyError";
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Whose fault it is. */
  get side(): Side {
    return FAILURES[this.code].side;
  }

  /** The status that the client gets; 0 where it gets none. */
  get status(): number {
    return FAILURES[this.code].status;
  }

  /** Whether the request may be sent again. */
  get retry(): RetrySafety {
    return FAILURES[this.code].retry;
  }
}

/** Wraps whatever was thrown into a failure, keeping one that is one already. */
export function asProxyError(
  thrown: unknown,
  code: FailureCode = "internal",
): ProxyError {
  if (thrown instanceof ProxyError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new ProxyError(code, message, { cause: thrown });
}
