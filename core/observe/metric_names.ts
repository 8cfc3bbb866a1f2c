/**
 * The metrics of a data plane: their names and labels are a contract
 * (design.md §6), shown at `/metrics`.
 *
 * To add one, add a row: `ProxyMetrics` gets its field with the right type.
 *
 * @module
 */
import type { GaugeMerge } from "./metric_snapshot.ts";
import type {
  CounterFamily,
  GaugeFamily,
  HistogramFamily,
  MetricRegistry,
} from "./metrics.ts";

/** One row of the table. */
type MetricRow =
  & {
    readonly name: string;
    readonly help: string;
    readonly labels: readonly string[];
  }
  & (
    | { readonly type: "counter" }
    | { readonly type: "gauge"; readonly merge: GaugeMerge }
    | { readonly type: "histogram"; readonly buckets: readonly number[] }
  );

/** From a cached answer to a slow report, in seconds. */
const REQUEST_SECONDS = [
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
] as const;

/** From a sync handler to one that asks another service, in seconds. */
const HANDLER_SECONDS = [
  0.000_001,
  0.000_01,
  0.000_1,
  0.001,
  0.01,
  0.1,
  1,
  5,
] as const;

/** From a timer's own resolution to a stall that clients notice, in seconds. */
const LAG_SECONDS = [
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
] as const;

/** wsbalancer's own, in bytes. */
const MESSAGE_BYTES = [128, 256, 512, 1024, 2048, 5120] as const;

/** Every metric of a data plane by its field in {@linkcode ProxyMetrics}. */
export const PROXY_METRICS = {
  sessions: {
    type: "counter",
    name: "headrace_sessions_total",
    help: "Accepted connections, refused ones too",
    labels: ["listener"],
  },
  sessionsRefused: {
    type: "counter",
    name: "headrace_sessions_refused_total",
    help:
      "Connections that ended before accept as their client's address had its share or their PROXY header was refused, by reason",
    labels: ["listener", "reason"],
  },
  sessionsOpen: {
    type: "gauge",
    name: "headrace_sessions_open",
    help: "Sessions that live now",
    labels: [],
    merge: "sum",
  },
  workersLost: {
    type: "counter",
    name: "headrace_workers_lost_total",
    help: "Workers that ended or hung, and were replaced",
    labels: [],
  },
  sessionsLost: {
    type: "counter",
    name: "headrace_sessions_lost_total",
    help:
      "Sessions that were open in workers that were lost, by kind: all, and of these websocket",
    labels: ["kind"],
  },
  tlsHandshakes: {
    type: "counter",
    name: "headrace_tls_handshakes_total",
    help: "TLS handshakes with clients by result: ok, or why they failed",
    labels: ["listener", "result"],
  },
  certificateExpiry: {
    type: "gauge",
    name: "headrace_certificate_expiry_seconds",
    help:
      "Seconds until the first certificate of this name expires; negative since",
    labels: ["name"],
    merge: "max",
  },
  transactions: {
    type: "counter",
    name: "headrace_transactions_total",
    help: "Transactions that ended, by class of status (1xx to 5xx, or none)",
    labels: ["product", "cluster", "class"],
  },
  bytes: {
    type: "counter",
    name: "headrace_bytes_total",
    help: "Bytes read (in) and written (out) on the client's or backend's side",
    labels: ["direction", "side"],
  },
  attempts: {
    type: "counter",
    name: "headrace_attempts_total",
    help: "Tries to get a response from a backend, by result",
    labels: ["cluster", "backend", "result"],
  },
  backendUp: {
    type: "gauge",
    name: "headrace_backend_up",
    help: "Whether a backend gets traffic: 1 or 0",
    labels: ["cluster", "backend"],
    merge: "max",
  },
  backendStateChanges: {
    type: "counter",
    name: "headrace_backend_state_changes_total",
    help:
      "Changes of backends' states by their kind (check, passive, breaker, admin, weight) and the new state",
    labels: ["cluster", "backend", "kind", "to"],
  },
  poolConnections: {
    type: "gauge",
    name: "headrace_pool_connections",
    help: "Connections to a backend by state",
    labels: ["cluster", "backend", "state"],
    merge: "sum",
  },
  bufferBytes: {
    type: "gauge",
    name: "headrace_buffer_bytes",
    help:
      "Bytes of buffers for what is on its way, by their size (tiny 64 bytes and room, small 4 KiB, medium 33 KiB, large 256 KiB) and whether they are used or free",
    labels: ["size", "state"],
    merge: "sum",
  },
  websocketSessionsOpen: {
    type: "gauge",
    name: "headrace_websocket_sessions_open",
    help: "WebSocket sessions by the backend that they are on",
    labels: ["cluster", "backend"],
    merge: "sum",
  },
  websocketFailovers: {
    type: "counter",
    name: "headrace_websocket_failovers_total",
    help: "WebSocket sessions that came to another backend, by reason",
    labels: ["cluster", "reason"],
  },
  websocketReplayed: {
    type: "counter",
    name: "headrace_websocket_replayed_total",
    help:
      "Messages that were sent to a second backend, as the first one was not known to have read them",
    labels: [],
  },
  websocketBuffered: {
    type: "gauge",
    name: "headrace_websocket_buffered_bytes",
    help:
      "Memory for messages of WebSocket sessions that wait or may be sent again",
    labels: [],
    merge: "sum",
  },
  newSession: {
    type: "counter",
    name: "wsbalancer_new_session",
    help:
      "WebSocket sessions that came to a backend, new ones and those of others",
    labels: ["frontend", "backend"],
  },
  activeSessions: {
    type: "gauge",
    name: "wsbalancer_active_sessions",
    help: "WebSocket sessions that are on a backend",
    labels: ["frontend", "backend"],
    merge: "sum",
  },
  messageSize: {
    type: "histogram",
    name: "wsbalancer_message_size",
    help:
      "Bytes of WebSocket messages to a backend (f2b) and from it (b2f), each counted once",
    labels: ["direction", "frontend", "backend"],
    buckets: MESSAGE_BYTES,
  },
  cacheLookups: {
    type: "counter",
    name: "headrace_cache_lookups_total",
    help:
      "Requests that met the cache, by what it had: hit-fresh, hit-stale, miss, or skipped",
    labels: ["result"],
  },
  cacheEntries: {
    type: "gauge",
    name: "headrace_cache_entries",
    help: "Responses that are stored",
    labels: [],
    merge: "sum",
  },
  cacheBytes: {
    type: "gauge",
    name: "headrace_cache_bytes",
    help: "Bytes that stored responses take",
    labels: [],
    merge: "sum",
  },
  cacheEvictions: {
    type: "counter",
    name: "headrace_cache_evictions_total",
    help: "Stored responses that were forgotten for want of room",
    labels: [],
  },
  cacheDiskEntries: {
    type: "gauge",
    name: "headrace_cache_disk_entries",
    help: "Responses that are stored on disk",
    labels: [],
    merge: "sum",
  },
  cacheDiskBytes: {
    type: "gauge",
    name: "headrace_cache_disk_bytes",
    help: "Bytes that the cache takes on disk",
    labels: [],
    merge: "sum",
  },
  cacheDiskEvictions: {
    type: "counter",
    name: "headrace_cache_disk_evictions_total",
    help: "Responses on disk that were forgotten for want of room",
    labels: [],
  },
  cacheDiskErrors: {
    type: "counter",
    name: "headrace_cache_disk_errors_total",
    help:
      "Times that the cache could not use its disk, or found what was not as written",
    labels: [],
  },
  cacheDiskSkipped: {
    type: "counter",
    name: "headrace_cache_disk_skipped_total",
    help:
      "Responses that stayed in memory alone, as too much waited for the disk",
    labels: [],
  },
  cacheDiskTraffic: {
    type: "counter",
    name: "headrace_cache_disk_io_bytes_total",
    help: "Bytes that the cache read from its disk and has written to it",
    labels: ["direction"],
  },
  cacheCopyBytes: {
    type: "gauge",
    name: "headrace_cache_copy_bytes",
    help: "Bytes that copies of other workers' stored responses take",
    labels: [],
    merge: "sum",
  },
  cacheFinds: {
    type: "counter",
    name: "headrace_cache_finds_total",
    help:
      "Lookups in a cache that workers share, by who answered: own part, copy, owner, or none where the owner was not there",
    labels: ["from"],
  },
  handlerErrors: {
    type: "counter",
    name: "headrace_handler_errors_total",
    help: "Handlers that threw, ran late or gave an illegal answer",
    labels: ["plugin", "point"],
  },
  reloads: {
    type: "counter",
    name: "headrace_reloads_total",
    help: "Reloads of the config by result",
    labels: ["result"],
  },
  transactionDuration: {
    type: "histogram",
    name: "headrace_transaction_duration_seconds",
    help: "From a request's first byte until its response is out or given up",
    labels: ["product", "cluster"],
    buckets: REQUEST_SECONDS,
  },
  backendResponse: {
    type: "histogram",
    name: "headrace_backend_response_seconds",
    help: "From a request sent to a backend until its response's head",
    labels: ["cluster", "backend"],
    buckets: REQUEST_SECONDS,
  },
  handlerDuration: {
    type: "histogram",
    name: "headrace_handler_duration_seconds",
    help: "Time of handlers; sync ones are timed by sample",
    labels: ["plugin", "point"],
    buckets: HANDLER_SECONDS,
  },
  websocketGap: {
    type: "histogram",
    name: "headrace_websocket_failover_gap_seconds",
    help: "How long WebSocket sessions were without a backend",
    labels: [],
    buckets: REQUEST_SECONDS,
  },
  eventLoopLag: {
    type: "histogram",
    name: "headrace_event_loop_lag_seconds",
    help: "How late timers run",
    labels: [],
    buckets: LAG_SECONDS,
  },
} as const satisfies Readonly<Record<string, MetricRow>>;

type Rows = typeof PROXY_METRICS;

type FamilyOf<Row extends MetricRow> = Row extends { type: "counter" }
  ? CounterFamily<Row["labels"]>
  : Row extends { type: "gauge" } ? GaugeFamily<Row["labels"]>
  : HistogramFamily<Row["labels"]>;

/** A data plane's metrics, each with the label values that its row asks for. */
export type ProxyMetrics = {
  readonly [K in keyof Rows]: FamilyOf<Rows[K]>;
};

/** Makes them in `registry`. */
export function createProxyMetrics(registry: MetricRegistry): ProxyMetrics {
  const families = Object.entries<MetricRow>(PROXY_METRICS).map((
    [field, row],
  ) => [field, make(registry, row)]);
  // The rows' types are lost on the way through entries; the table itself says them.
  return Object.fromEntries(families) as ProxyMetrics;
}

function make(registry: MetricRegistry, row: MetricRow) {
  switch (row.type) {
    case "counter":
      return registry.counter(row);
    case "gauge":
      return registry.gauge(row);
    case "histogram":
      return registry.histogram(row);
  }
}
