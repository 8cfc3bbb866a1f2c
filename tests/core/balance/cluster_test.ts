/**
 * Which backend a cluster gives an attempt.
 *
 * @module
 */
import { Cluster } from "../../../core/balance/cluster.ts";
import type { ClusterConfig } from "../../../core/config/config.ts";
import type {
  Backend,
  BackendSettings,
} from "../../../core/connect/backend.ts";
import { Epoch } from "../../../core/health/shared_health.ts";
import { assertEquals } from "../../support/assert.ts";
import { makeHealth, NO_HEALTH } from "../../support/backend_health.ts";
import { FakeClock } from "../../support/clock.ts";

const SETTINGS: BackendSettings = {
  connectTimeout: 1_000,
  maxIdle: 1,
  idleTimeout: 1_000,
  health: NO_HEALTH,
};

/** A cluster of subclusters: their weight, then their backends' by id. */
function clusterOf(
  subclusters: readonly (readonly [number, Readonly<Record<string, number>>])[],
  clock = new FakeClock(),
): Cluster {
  const epoch = new Epoch();
  const config = {
    name: "main",
    subclusters: subclusters.map(([weight], i) => ({ name: `s${i}`, weight })),
  } as unknown as ClusterConfig;
  const backends = subclusters.map(([, group]) =>
    Object.entries(group).map(([id, weight]) => ({
      // Picking looks at nothing but which one it is, and how it is.
      backend: {
        id,
        health: makeHealth({ epoch, clock, weight, slowStart: 10_000 }).health,
      } as unknown as Backend,
      weight,
    }))
  );
  return new Cluster(config, backends, SETTINGS, { epoch, clock });
}

function picks(
  cluster: Cluster,
  number: number,
  excluded?: readonly string[],
): Record<string, number> {
  const out = excluded && new Set(excluded.map((id) => cluster.find(id)!));
  const counts: Record<string, number> = {};
  for (let i = 0; i < number; i++) {
    const id = cluster.pick(out)?.id ?? "none";
    counts[id] = (counts[id] ?? 0) + 1;
  }
  return counts;
}

Deno.test("Cluster.pick shares out by subcluster, then by backend", () => {
  const cluster = clusterOf([
    [90, { a1: 2, a2: 1 }],
    [10, { b1: 1 }],
  ]);

  assertEquals(picks(cluster, 100), { a1: 60, a2: 30, b1: 10 });
});

Deno.test("Cluster.pick leaves out subclusters of weight 0", () => {
  const cluster = clusterOf([[0, { a1: 1 }], [1, { b1: 1 }]]);

  assertEquals(picks(cluster, 10), { b1: 10 });
});

Deno.test("Cluster.pick gives the share of a subcluster without backends to the others", () => {
  const cluster = clusterOf([[1, {}], [1, { b1: 1 }]]);

  assertEquals(picks(cluster, 10), { b1: 10 });
});

Deno.test("Cluster.pick gives the share of a subcluster of weightless backends to the others", () => {
  const cluster = clusterOf([[1, { a1: 0 }], [1, { b1: 1 }]]);

  assertEquals(picks(cluster, 10), { b1: 10 });
  assertEquals(picks(cluster, 10, ["b1"]), { none: 10 });
});

Deno.test("Cluster.pick gives the share of excluded backends to the others", () => {
  const cluster = clusterOf([
    [1, { a1: 1, a2: 1 }],
    [1, { b1: 1 }],
  ]);

  assertEquals(picks(cluster, 20, ["a1"]), { a2: 10, b1: 10 });
  assertEquals(picks(cluster, 10, ["b1"]), { a1: 5, a2: 5 });
  assertEquals(picks(cluster, 10, ["a1", "a2"]), { b1: 10 });
  assertEquals(picks(cluster, 1, ["a1", "a2", "b1"]), { none: 1 });
});

Deno.test("Cluster.find knows weightless backends too", () => {
  const cluster = clusterOf([[0, { a1: 0 }], [1, { b1: 1 }]]);

  assertEquals(cluster.find("a1")?.id, "a1");
  assertEquals(cluster.find("c1"), undefined);
});

Deno.test("Cluster.pick leaves out what is not eligible, until it is again", () => {
  const cluster = clusterOf([[1, { a1: 1, a2: 1 }], [1, { b1: 1 }]]);
  const { health } = cluster.find("b1")!;
  picks(cluster, 1);
  health.setState("disabled", "test");
  assertEquals(picks(cluster, 10), { a1: 5, a2: 5 });
  cluster.find("a1")!.health.setChecked(false, "test");
  assertEquals(picks(cluster, 10), { a2: 10 });
  cluster.find("a2")!.health.setState("maintenance", "test");
  assertEquals(picks(cluster, 10), { none: 10 });
  health.setState("ready", "test");
  assertEquals(picks(cluster, 10), { b1: 10 });
});

Deno.test("Cluster.pick follows a weight that an operator sets", () => {
  const cluster = clusterOf([[1, { a1: 1, a2: 1 }]]);
  cluster.find("a1")!.health.setWeight(4, "test");
  assertEquals(picks(cluster, 50), { a1: 40, a2: 10 });
  cluster.find("a1")!.health.setWeight(0, "test");
  assertEquals(picks(cluster, 10), { a2: 10 });
  cluster.find("a1")!.health.setWeight(undefined, "test");
  assertEquals(picks(cluster, 10), { a1: 5, a2: 5 });
});

Deno.test("Cluster.pick gives one that came back its share step by step", () => {
  const clock = new FakeClock();
  const cluster = clusterOf([[1, { a1: 1, a2: 1 }]], clock);
  const { health } = cluster.find("a1")!;
  health.setChecked(false, "test");
  health.setChecked(true, "test");
  assertEquals(picks(cluster, 110), { a1: 10, a2: 100 });
  clock.advance(4_000);
  assertEquals(picks(cluster, 150), { a1: 50, a2: 100 });
  clock.advance(5_000);
  assertEquals(picks(cluster, 100), { a1: 50, a2: 50 });
});
