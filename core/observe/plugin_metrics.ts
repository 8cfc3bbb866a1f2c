/**
 * Metrics as plugins see them: in a registry, under a prefix of their own.
 *
 * @module
 */
import type { Counter, Gauge, Metrics } from "../plugin.ts";
import type { MetricShape } from "./metric_snapshot.ts";
import type { MetricRegistry } from "./metrics.ts";

/**
 * The metrics of one plugin instance. A name asked for twice is the same
 * metric, also over instances, so that counts live on through reloads; a newer
 * instance that gives a name other labels replaces the older one's metric.
 * Within an instance that is a `TypeError`, as is a bad label name.
 */
export function pluginMetrics(
  registry: MetricRegistry,
  pluginName: string,
): Metrics {
  const prefix = `headrace_plugin_${sanitize(pluginName)}_`;
  const own = new Set<string>();

  function claim(name: string, shape: MetricShape): string {
    const full = prefix + sanitize(name);
    if (!own.has(full) && !registry.fits(full, shape)) registry.delete(full);
    own.add(full);
    return full;
  }

  return Object.freeze({
    counter(
      name: string,
      help: string,
      labels: readonly string[] = [],
    ): Counter {
      const full = claim(name, { type: "counter", labels, merge: "sum" });
      const family = registry.counter({ name: full, help, labels });
      return {
        add(by = 1, ...values) {
          if (!(by >= 0)) {
            throw new RangeError(
              `Cannot add to counter ${full} as a count only grows: current value is ${by}`,
            );
          }
          family.series(...values).add(by);
        },
      };
    },
    gauge(name: string, help: string, labels: readonly string[] = []): Gauge {
      const full = claim(name, { type: "gauge", labels, merge: "sum" });
      const family = registry.gauge({ name: full, help, labels });
      return {
        set(value, ...values) {
          family.series(...values).set(value);
        },
      };
    },
  });
}

/** Config names may hold characters that metric names may not. */
function sanitize(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_]/g, "_");
}
