/** What a handler that `on` brings has of the one that registers it. */
import type { PointName } from "../../../core/callback_points.ts";
import { createProxyMetrics } from "../../../core/observe/metric_names.ts";
import { MetricRegistry } from "../../../core/observe/metrics.ts";
import { bindHandler } from "../../../core/session/bind_handler.ts";
import type { BoundHandler } from "../../../core/session/handlers.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

const metrics = createProxyMetrics(new MetricRegistry());
const run = () => undefined;

/** What of it is no object. */
function facts(
  { plugin, point, order, place, timeout, onError }: BoundHandler,
) {
  return [plugin, point, order, place, timeout, onError];
}

Deno.test("bindHandler: outside of any handler nothing is known of its plugin", () => {
  const bound = bindHandler("finish", run, undefined, metrics);
  assertEquals(facts(bound), [
    ...["unknown", "finish", 0, Infinity, 5_000, "refuse"],
  ]);
  assertEquals([bound.run, bound.calls], [run, 0]);
});

Deno.test("bindHandler: what the config says of the running one's plugin holds, counts are its point's own", () => {
  const running: BoundHandler = {
    ...bindHandler("readResponse", run, undefined, metrics),
    ...{ plugin: "p", order: 3, place: 1, timeout: 70, onError: "ignore" },
    calls: 5,
  };
  const bound = bindHandler("finish", run, running, metrics);
  assertEquals(facts(bound), ["p", "finish", 3, 1, 70, "ignore"]);
  assertEquals(bound.calls, 5);
  bound.errors.add();
  assertEquals(metrics.handlerErrors.series("p", "finish").value, 1);
  assertEquals(running.errors.value, 0);
});

Deno.test("bindHandler: refuses what is no point, or no function", () => {
  for (
    const [point, handler] of [
      ["nowhere", run],
      ["toString", undefined],
      ["finish", {}],
    ] as [PointName, typeof run][]
  ) {
    assertThrows(
      () => bindHandler(point, handler, undefined, metrics),
      TypeError,
      `Cannot register a handler for ${JSON.stringify(point)}`,
    );
  }
});
