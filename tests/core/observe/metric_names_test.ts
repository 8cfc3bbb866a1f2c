import { createProxyMetrics } from "../../../core/observe/metric_names.ts";
import { MetricRegistry } from "../../../core/observe/metrics.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("createProxyMetrics() makes the contract's names with their labels", () => {
  const registry = new MetricRegistry();
  createProxyMetrics(registry);
  const made = registry.snapshot().metrics.map(({ type, name, labels }) =>
    `${type} ${name}{${labels.join(",")}}`
  );

  assertEquals(made, [
    "counter headrace_sessions_total{listener}",
    "counter headrace_sessions_refused_total{listener,reason}",
    "gauge headrace_sessions_open{}",
    "counter headrace_workers_lost_total{}",
    "counter headrace_sessions_lost_total{kind}",
    "counter headrace_tls_handshakes_total{listener,result}",
    "gauge headrace_certificate_expiry_seconds{name}",
    "counter headrace_transactions_total{product,cluster,class}",
    "counter headrace_bytes_total{direction,side}",
    "counter headrace_attempts_total{cluster,backend,result}",
    "gauge headrace_backend_up{cluster,backend}",
    "counter headrace_backend_state_changes_total{cluster,backend,kind,to}",
    "gauge headrace_pool_connections{cluster,backend,state}",
    "gauge headrace_buffer_bytes{size,state}",
    "gauge headrace_websocket_sessions_open{cluster,backend}",
    "counter headrace_websocket_failovers_total{cluster,reason}",
    "counter headrace_websocket_replayed_total{}",
    "gauge headrace_websocket_buffered_bytes{}",
    "counter wsbalancer_new_session{frontend,backend}",
    "gauge wsbalancer_active_sessions{frontend,backend}",
    "histogram wsbalancer_message_size{direction,frontend,backend}",
    "counter headrace_cache_lookups_total{result}",
    "gauge headrace_cache_entries{}",
    "gauge headrace_cache_bytes{}",
    "counter headrace_cache_evictions_total{}",
    "gauge headrace_cache_disk_entries{}",
    "gauge headrace_cache_disk_bytes{}",
    "counter headrace_cache_disk_evictions_total{}",
    "counter headrace_cache_disk_errors_total{}",
    "counter headrace_cache_disk_skipped_total{}",
    "counter headrace_cache_disk_io_bytes_total{direction}",
    "gauge headrace_cache_copy_bytes{}",
    "counter headrace_cache_finds_total{from}",
    "counter headrace_handler_errors_total{plugin,point}",
    "counter headrace_reloads_total{result}",
    "histogram headrace_transaction_duration_seconds{product,cluster}",
    "histogram headrace_backend_response_seconds{cluster,backend}",
    "histogram headrace_handler_duration_seconds{plugin,point}",
    "histogram headrace_websocket_failover_gap_seconds{}",
    "histogram headrace_event_loop_lag_seconds{}",
  ]);
});

Deno.test("createProxyMetrics() gives families whose series take the row's labels", () => {
  const registry = new MetricRegistry();
  const metrics = createProxyMetrics(registry);
  metrics.transactions.series("shop", "api", "2xx").add();
  metrics.backendUp.series("api", "a1").set(1);
  metrics.handlerDuration.series("hello", "accept").observe(0.1, 16);
  // @ts-expect-error sessions have one label
  const wrong = () => metrics.sessions.series("web", "x");

  assertEquals(typeof wrong, "function");
  const shown = registry.snapshot().metrics.filter((m) =>
    m.labels.length > 0 && m.series.length > 0
  );
  assertEquals(shown.map((metric) => metric.name), [
    "headrace_transactions_total",
    "headrace_backend_up",
    "headrace_handler_duration_seconds",
  ]);
});
