/** Which ends of sessions count as refusals, and how often the log hears of them. */
import { Refusals } from "../../../core/data_plane/refusals.ts";
import { type FailureCode, ProxyError } from "../../../core/errors.ts";
import { createProxyMetrics } from "../../../core/observe/metric_names.ts";
import { MetricRegistry } from "../../../core/observe/metrics.ts";
import type { PlaneEnv } from "../../../core/session/env.ts";
import type { Session } from "../../../core/session/session.ts";
import { assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { MemoryLog } from "../../../core/testing/views.ts";
import { metricValue } from "../../support/metric_value.ts";

function setUp() {
  const registry = new MetricRegistry();
  const clock = new FakeClock();
  const log = new MemoryLog();
  const metrics = createProxyMetrics(registry);
  const refusals = new Refusals({ metrics, clock, log } as unknown as PlaneEnv);
  return {
    clock,
    log,
    /** A session of the listener ended so. */
    end(code: FailureCode, listener = "web") {
      const initiator = { remote: { address: "10.0.0.1", port: 1 } };
      const session = { listener, initiator } as unknown as Session;
      refusals.note(session, new ProxyError(code, "because"));
    },
    count: (labels: Readonly<Record<string, string>> = {}) =>
      metricValue(
        registry.snapshot(),
        "headrace_sessions_refused_total",
        labels,
      ),
  };
}

Deno.test("Refusals: counts by listener and reason what was refused before accept", () => {
  const t = setUp();
  t.end("proxy_header_missing");
  t.end("proxy_header_missing");
  t.end("proxy_header_missing", "other");
  t.end("too_many_connections");
  for (
    const code of [
      "client_closed",
      "shutting_down",
      "handler_error",
      "bad_request",
    ] as const
  ) t.end(code);
  assertEquals(t.count(), 4);
  assertEquals(
    t.count({ listener: "web", reason: "proxy_header_missing" }),
    2,
  );
  assertEquals(t.count({ reason: "too_many_connections" }), 1);
});

Deno.test("Refusals: the log is told once a minute for each listener and reason, with how many there were", () => {
  const t = setUp();
  t.end("proxy_header_missing");
  t.end("proxy_header_missing");
  t.end("proxy_header_missing");
  t.end("proxy_header_invalid");
  t.end("proxy_header_missing", "other");
  t.clock.advance(59_999);
  t.end("proxy_header_missing");
  assertEquals(t.log.records.length, 3);
  t.clock.advance(1);
  t.end("proxy_header_missing");
  t.clock.advance(60_000);
  t.end("proxy_header_missing");
  const told = t.log.records.map(({ level, message, fields }) => [
    level,
    message,
    fields["listener"],
    (fields["error"] as ProxyError).code,
    fields["remote"],
    fields["unlogged"],
  ]);
  const line = (listener: string, code: string, unlogged?: number) => [
    ...[
      "warn",
      "A connection was refused",
      listener,
      code,
      "10.0.0.1",
      unlogged,
    ],
  ];
  assertEquals(told, [
    line("web", "proxy_header_missing"),
    line("web", "proxy_header_invalid"),
    line("other", "proxy_header_missing"),
    line("web", "proxy_header_missing", 3),
    line("web", "proxy_header_missing"),
  ]);
});
