/**
 * Which backends live on over reloads.
 *
 * @module
 */
import { parseBackendUrl } from "../../../core/config/backend_url.ts";
import type {
  BackendIdentity,
  BackendSettings,
  BackendShare,
} from "../../../core/connect/backend.ts";
import { BackendRegistry } from "../../../core/connect/backend_registry.ts";
import { createProxyMetrics } from "../../../core/observe/metric_names.ts";
import { MetricRegistry } from "../../../core/observe/metrics.ts";
import type { PlaneEnv } from "../../../core/session/env.ts";
import { backendKey } from "../../../core/health/shared_health.ts";
import { BackendRow, makeRow } from "../../../core/health/backend_row.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { NO_HEALTH } from "../../support/backend_health.ts";

const SETTINGS: BackendSettings = {
  connectTimeout: 1_000,
  maxIdle: 1,
  idleTimeout: 1_000,
  health: NO_HEALTH,
  tls: undefined,
};

const SHARE: BackendShare = {
  weight: 1,
  maxConnections: undefined,
  backup: false,
};

/** A registry whose backends are never connected to. */
function makeRegistry(
  metrics = createProxyMetrics(new MetricRegistry()),
): BackendRegistry {
  return new BackendRegistry({ metrics } as unknown as PlaneEnv, {
    worker: 0,
    workers: 1,
    notify: () => {},
  });
}

function identity(
  facts: Partial<BackendIdentity> = {},
  url = "http://10.0.0.1:80",
): BackendIdentity {
  return {
    id: "a",
    cluster: "main",
    subcluster: "default",
    url: parseBackendUrl(url),
    ...facts,
  };
}

Deno.test("BackendRegistry.acquire gives the same backend for the same identity", () => {
  const registry = makeRegistry();
  const first = registry.acquire(identity(), SETTINGS, SHARE, () => {});

  assert(first === registry.acquire(identity(), SETTINGS, SHARE, () => {}));
  assertEquals(registry.list(), [first]);
});

Deno.test("BackendRegistry.acquire gives another backend for another id, cluster, subcluster or URL", () => {
  const registry = makeRegistry();
  const backends = [
    identity(),
    identity({ id: "b" }),
    identity({ cluster: "other" }),
    identity({ subcluster: "west" }),
    identity({}, "http://10.0.0.1:81"),
    identity({}, "http://10.0.0.1:80/base"),
  ].map((one) => registry.acquire(one, SETTINGS, SHARE, () => {}));

  assertEquals(new Set(backends).size, backends.length);
});

Deno.test("BackendRegistry.retireOthers forgets what is not kept: it comes back as a new one", () => {
  const registry = makeRegistry();
  const kept = registry.acquire(
    identity({ id: "kept" }),
    SETTINGS,
    SHARE,
    () => {},
  );
  const dropped = registry.acquire(identity(), SETTINGS, SHARE, () => {});
  registry.retireOthers(new Set([kept]));

  assertEquals(registry.list(), [kept]);
  assert(dropped !== registry.acquire(identity(), SETTINGS, SHARE, () => {}));
});

Deno.test("BackendRegistry.retireOthers: metrics go with their backend, unless another one of its id counts on", () => {
  const metrics = createProxyMetrics(new MetricRegistry());
  const registry = makeRegistry(metrics);
  const acquire = (id: string, url?: string) => {
    const backend = registry.acquire(
      identity({ id }, url),
      SETTINGS,
      SHARE,
      () => {},
    );
    backend.attempts.ok.add();
    backend.responseTime.observe(1);
    metrics.backendUp.series("main", id).set(1);
    return backend;
  };
  acquire("gone");
  acquire("moved");
  const moved = acquire("moved", "http://10.0.0.2:80");
  registry.retireOthers(new Set([moved]));

  const { attempts, backendResponse, backendUp } = metrics;
  assertEquals(
    [attempts, backendResponse, backendUp].map((family) => [
      ...new Set(family.read().series.map(({ labels }) => labels[1])),
    ]),
    [["moved"], ["moved"], ["moved"]],
  );
  moved.attempts.ok.add();
  assertEquals(attempts.series("main", "moved", "ok").value, 3);
});

Deno.test("BackendRegistry.acquire takes the row that others have, too", () => {
  const registry = makeRegistry();
  const buffer = makeRow(1);
  const rows = new Map([[backendKey(identity()), buffer]]);
  const { health } = registry.acquire(
    identity(),
    SETTINGS,
    SHARE,
    () => {},
    rows,
  );
  const other = registry.acquire(
    identity({ id: "b" }),
    SETTINGS,
    SHARE,
    () => {},
    rows,
  );
  new BackendRow(buffer).admin = "disabled";

  assertEquals([health.eligible(0), other.health.eligible(0)], [false, true]);
});
