/**
 * Which backend a cluster gives an attempt.
 *
 * @module
 */
import { BLACKHOLE, Cluster } from "../../../core/balance/cluster.ts";
import { ClusterLife } from "../../../core/balance/cluster_life.ts";
import { UNTOLD } from "../../../core/balance/policy.ts";
import { BUILTIN_POLICIES } from "../../../core/balance/create_policy.ts";
import { parseBackendUrl } from "../../../core/config/backend_url.ts";
import type { ClusterConfig } from "../../../core/config/config.ts";
import type {
  BackendSettings,
  BackendShare,
} from "../../../core/connect/backend.ts";
import { BackendRegistry } from "../../../core/connect/backend_registry.ts";
import { ProxyError } from "../../../core/errors.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import { createProxyMetrics } from "../../../core/observe/metric_names.ts";
import { MetricRegistry } from "../../../core/observe/metrics.ts";
import type { PlaneEnv } from "../../../core/session/env.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { NO_HEALTH } from "../../support/backend_health.ts";
import { FakeClock } from "../../support/clock.ts";

const SETTINGS: BackendSettings = {
  connectTimeout: 1_000,
  maxIdle: 1,
  idleTimeout: 1_000,
  health: { ...NO_HEALTH, slowStart: 10_000 },
  tls: undefined,
};

/** What a test's cluster is made of. */
interface Made {
  /** By subcluster: its weight, then its backends' by id. */
  readonly subclusters:
    readonly (readonly [number, Readonly<Record<string, number>>])[];
  readonly clock?: FakeClock;
  readonly config?: Partial<ClusterConfig>;
  /** Of single backends. */
  readonly shares?: Readonly<Record<string, Partial<BackendShare>>>;
}

function make({ subclusters, clock, config, shares }: Made): Cluster {
  const now = clock ?? new FakeClock();
  const registry = new BackendRegistry({
    metrics: createProxyMetrics(new MetricRegistry()),
    clock: now,
    deadlines: new Deadlines(now),
  } as unknown as PlaneEnv, { worker: 0, workers: 1, notify: () => {} });
  const life = new ClusterLife(new Deadlines(now));
  const members = subclusters.map(([, group], i) =>
    Object.entries(group).map(([id, weight]) => {
      const share = {
        weight,
        maxConnections: undefined,
        backup: false,
        ...shares?.[id],
      };
      const backend = registry.acquire(
        {
          id,
          cluster: "main",
          subcluster: `s${i}`,
          url: parseBackendUrl(`http://${id}:80`),
        },
        SETTINGS,
        share,
        (backend) => life.queue.freed(backend),
      );
      return { backend, share };
    })
  );
  const full = {
    name: "main",
    balance: "roundrobin",
    blackhole: 0,
    subclusters: subclusters.map(([weight], i) => ({ name: `s${i}`, weight })),
    ...config,
  } as unknown as ClusterConfig;
  return new Cluster(full, members, SETTINGS, {
    epoch: registry.epoch,
    clock: now,
    life,
    secret: new Uint8Array(32),
    policies: {},
  });
}

function clusterOf(
  subclusters: Made["subclusters"],
  clock = new FakeClock(),
): Cluster {
  return make({ subclusters, clock });
}

Deno.test("Cluster.servesWithout: whether new sessions would find another one", () => {
  const cluster = clusterOf([[1, { a: 1, b: 0 }], [1, { c: 1 }]]);
  assertEquals(["a", "c", "nobody"].map((id) => cluster.servesWithout(id)), [
    true,
    true,
    true,
  ]);
  cluster.find("c")!.health.setState("disabled", "test");
  // Weight 0 takes nobody, either.
  assertEquals(["a", "b"].map((id) => cluster.servesWithout(id)), [
    false,
    true,
  ]);
  assertEquals(clusterOf([[1, {}]]).servesWithout("a"), false);
});

const ANYBODY = { clientAddress: "10.9.9.9", request: undefined };

/** How often each is picked, after `excluded` were tried from `home` on. */
function picks(
  cluster: Cluster,
  number: number,
  excluded?: readonly string[],
  { home = "s0", mayCross = true } = {},
): Record<string, number> {
  const tried = excluded && {
    excluded: new Set(excluded.map((id) => cluster.find(id)!)),
    subcluster: home,
    mayCross,
  };
  const counts: Record<string, number> = {};
  for (let i = 0; i < number; i++) {
    const picked = cluster.pick(ANYBODY, tried);
    const id = picked === BLACKHOLE ? "blackhole" : picked?.id ?? "none";
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
  assertEquals(picks(cluster, 10, ["b1"], { home: "s1" }), { none: 10 });
});

Deno.test("Cluster.pick stays in the first attempt's subcluster while that has others", () => {
  const cluster = clusterOf([
    [1, { a1: 1, a2: 1 }],
    [1, { b1: 1 }],
  ]);

  assertEquals(picks(cluster, 20, ["a1"]), { a2: 20 });
  assertEquals(picks(cluster, 10, ["b1"], { home: "s1" }), { a1: 5, a2: 5 });
  assertEquals(picks(cluster, 10, ["a1", "a2"]), { b1: 10 });
  assertEquals(picks(cluster, 1, ["a1", "a2", "b1"]), { none: 1 });
  assertEquals(picks(cluster, 1, ["a1", "a2"], { mayCross: false }), {
    none: 1,
  });
});

Deno.test("Cluster.pick: backups serve only where no other can, then all of them", () => {
  const cluster = make({
    subclusters: [[1, { a1: 1, a2: 1 }], [1, { b1: 1 }]],
    shares: { a2: { backup: true }, b1: { backup: true } },
  });
  assertEquals(picks(cluster, 10), { a1: 10 });
  cluster.find("a1")!.health.setChecked(false, "test");
  assertEquals(picks(cluster, 10), { a2: 5, b1: 5 });
});

Deno.test("Cluster.pick: a blackhole swallows its share, and no further attempts", () => {
  const cluster = make({
    subclusters: [[3, { a1: 1, a2: 1 }]],
    config: { blackhole: 1 },
  });
  assertEquals(picks(cluster, 40), { a1: 15, a2: 15, blackhole: 10 });
  assertEquals(picks(cluster, 10, ["a1"]), { a2: 10 });
});

Deno.test("Cluster.pick: with fewer well than the panic threshold all are used, but none that an operator took out", () => {
  const cluster = make({
    subclusters: [[1, { a1: 1, a2: 1, a3: 1, a4: 1 }]],
    config: { panic: 0.5 },
  });
  const down = (id: string) =>
    cluster.find(id)!.health.setChecked(false, "test");
  down("a1");
  down("a2");
  assertEquals(picks(cluster, 10), { a3: 5, a4: 5 });
  down("a3");
  assertEquals(picks(cluster, 8), { a1: 2, a2: 2, a3: 2, a4: 2 });
  cluster.find("a1")!.health.setState("maintenance", "test");
  assertEquals(picks(cluster, 9), { a2: 3, a3: 3, a4: 3 });
  assert(cluster.find("a2")!.takeSlot() !== undefined);
  cluster.find("a2")!.health.setChecked(true, "test");
  // It comes back slowly.
  assertEquals(picks(cluster, 11), { a2: 1, a4: 10 });
});

Deno.test("Cluster.pick: one with a free slot comes before one that is full", () => {
  const cluster = make({
    subclusters: [[1, { a1: 1, a2: 1 }]],
    shares: { a1: { maxConnections: 1 } },
  });
  const a1 = cluster.find("a1")!;
  const slot = a1.takeSlot()!;
  assertEquals([a1.hasSlot, a1.takeSlot()], [false, undefined]);
  assertEquals(picks(cluster, 10), { a2: 10 });
  // Where all that is left is full, the attempt is to wait for it.
  assertEquals(picks(cluster, 1, ["a2"]), { a1: 1 });
  a1.leave(slot);
  assertEquals(picks(cluster, 10), { a1: 5, a2: 5 });
});

Deno.test("Cluster.pick: a blackhole swallows no more where all are full", () => {
  const cluster = make({
    subclusters: [[3, { a1: 1 }]],
    config: { blackhole: 1 },
    shares: { a1: { maxConnections: 1 } },
  });
  cluster.find("a1")!.takeSlot();
  assertEquals(picks(cluster, 40), { a1: 30, blackhole: 10 });
});

Deno.test("Cluster.peek tells the next pick and leaves no trace", () => {
  for (const balance of ["roundrobin", "leastconn", "first", "hash"]) {
    const clusters = [1, 2].map(() =>
      make({
        subclusters: [[3, { a1: 1, a2: 2 }], [1, { b1: 1, b2: 1 }]],
        config: { balance, blackhole: 1 },
        shares: { a1: { maxConnections: 1 } },
      })
    );
    const [asked, unasked] = clusters;
    for (let i = 0; i < 60; i++) {
      // It is full, or down, for a time.
      for (const cluster of clusters) {
        const a1 = cluster.find("a1")!;
        if (i === 20) a1.takeSlot();
        if (i === 40) a1.health.setChecked(false, "test");
      }
      const context = { ...ANYBODY, clientAddress: `10.0.0.${i}` };
      const tried = i % 3 > 0 ? undefined : {
        excluded: new Set([asked!.find("a2")!]),
        subcluster: "s0",
        mayCross: i % 2 === 0,
      };
      const same = tried && {
        ...tried,
        excluded: new Set([unasked!.find("a2")!]),
      };
      const { pick, subcluster } = asked!.peek(context, tried);
      const picked = asked!.pick(context, tried);
      assertEquals(picked, pick);
      const other = unasked!.pick(context, same);
      if (picked === BLACKHOLE || picked === undefined) {
        assertEquals(other, picked);
      } else {
        assert(other !== BLACKHOLE);
        assertEquals([picked.id, picked.subcluster], [other?.id, subcluster]);
      }
    }
  }
});

Deno.test("Cluster.peek of random tells the subcluster, and the backend only where it is the last", () => {
  const cluster = make({
    subclusters: [[1, { a1: 1, a2: 1 }]],
    config: { balance: "random" },
  });
  assertEquals(cluster.peek(ANYBODY), { subcluster: "s0", pick: UNTOLD });
  cluster.find("a1")!.health.setState("disabled", "test");
  assertEquals(cluster.peek(ANYBODY), {
    subcluster: "s0",
    pick: cluster.find("a2"),
  });
});

Deno.test("Cluster.mayServe: who waits may have the slot of any that a pick could give", () => {
  const cluster = make({
    subclusters: [[1, { a1: 1, a2: 1 }], [1, { b1: 1 }]],
  });
  const [a1, a2, b1] = ["a1", "a2", "b1"].map((id) => cluster.find(id)!);
  const tried = {
    excluded: new Set([a1!]),
    subcluster: "s0",
    mayCross: false,
  };
  assertEquals(
    [a1, a2, b1].map((each) => cluster.mayServe(each!, tried)),
    [false, true, false],
  );
  a2!.health.setState("disabled", "test");
  assertEquals(
    [a1, a2, b1].map((each) => cluster.mayServe(each!, undefined)),
    [true, false, true],
  );
});

Deno.test("Cluster.pick: every policy by its name", () => {
  for (const balance of BUILTIN_POLICIES) {
    const cluster = make({
      subclusters: [[1, { a1: 1, a2: 1 }]],
      config: { balance },
    });
    const counts = picks(cluster, 100);
    const { a1 = 0, a2 = 0 } = counts;
    assertEquals(a1 + a2, 100, balance);
    if (balance === "first") assertEquals(counts, { a1: 100 });
    if (balance === "hash") assert(a1 === 100 || a2 === 100);
  }
  assertThrows(
    () => make({ subclusters: [[1, {}]], config: { balance: "fair" } }),
    RangeError,
    "fair",
  );
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

Deno.test("Cluster.pick: those that let connections hang serve where nobody else does, backups before them", () => {
  const clock = new FakeClock();
  const cluster = make({
    subclusters: [[1, { a1: 1, a2: 1, b1: 1 }]],
    shares: { b1: { backup: true } },
    clock,
  });
  const hang = (id: string) => {
    const { health } = cluster.find(id)!;
    const permit = health.begin()!;
    health.failed(new ProxyError("connect_timeout", "test"), permit);
    health.end(permit);
  };
  hang("a1");
  assertEquals(picks(cluster, 10), { a2: 10 });
  hang("a2");
  assertEquals(picks(cluster, 10), { b1: 10 });
  hang("b1");
  assertEquals(picks(cluster, 10), { a1: 5, a2: 5 });
  assert(cluster.find("a1")!.takeSlot() !== undefined);
  cluster.find("a1")!.health.setState("disabled", "test");
  assertEquals(picks(cluster, 10), { a2: 10 });
  // Time alone brings them back.
  clock.advance(9_999);
  assertEquals(picks(cluster, 10), { a2: 10 });
  cluster.find("b1")!.health.reset("test");
  assertEquals(picks(cluster, 10), { b1: 10 });
  clock.advance(1);
  assertEquals(picks(cluster, 10), { a2: 10 });
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
