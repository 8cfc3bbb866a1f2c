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
import { assertEquals } from "../../support/assert.ts";

const SETTINGS: BackendSettings = {
  connectTimeout: 1_000,
  maxIdle: 1,
  idleTimeout: 1_000,
};

/** A cluster of subclusters: their weight, then their backends' by id. */
function clusterOf(
  subclusters: readonly (readonly [number, Readonly<Record<string, number>>])[],
): Cluster {
  const config = {
    name: "main",
    subclusters: subclusters.map(([weight], i) => ({ name: `s${i}`, weight })),
  } as unknown as ClusterConfig;
  const backends = subclusters.map(([, group]) =>
    Object.entries(group).map(([id, weight]) => ({
      // Picking looks at nothing but which one it is.
      backend: { id } as unknown as Backend,
      weight,
    }))
  );
  return new Cluster(config, backends, SETTINGS);
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
