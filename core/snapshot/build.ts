/**
 * Builds a snapshot from a checked config, living plugins and backends.
 *
 * @module
 */
import type { ClusterLives } from "../balance/cluster_life.ts";
import { BUILTIN_POLICIES } from "../balance/create_policy.ts";
import {
  Cluster,
  type ClusterMember,
  type ClusterSurroundings,
} from "../balance/cluster.ts";
import type { Cache } from "../cache/cache.ts";
import { keyMaker, urlKey } from "../cache/cache_key.ts";
import type { CacheRule } from "../cache/rules.ts";
import { compileCondition } from "../conditions/compile.ts";
import { primitivesUsed } from "../conditions/names.ts";
import type { PrimitiveTable } from "../conditions/primitive.ts";
import {
  builtinPrimitives,
  extendPrimitives,
} from "../conditions/primitives.ts";
import { TLS_PRIMITIVES } from "../conditions/primitives_tls.ts";
import type { ListenerFiles } from "../config/check_listener_tls.ts";
import type {
  ClusterConfig,
  Config,
  ListenerConfig,
  ProductConfig,
} from "../config/config.ts";
import type { CacheConfig } from "../config/config_cache.ts";
import type { BackendRegistry } from "../connect/backend_registry.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import type { SharedRows } from "../health/shared_health.ts";
import { CidrSet } from "../net/cidr.ts";
import type { Clock } from "../net/clock.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import type { BalancePolicy } from "../plugin.ts";
import { guardProductScope } from "../plugins/guard.ts";
import { HostTable } from "../route/host_table.ts";
import { Product } from "../route/product.ts";
import { type ProductEntry, ProductIndex } from "../route/product_index.ts";
import type {
  BoundDialer,
  WebSocketParts,
} from "../session/websocket_parts.ts";
import type { SeatCounts } from "../shared/seat_counts.ts";
import { didYouMean } from "../text/suggest.ts";
import type { CacheRuntime } from "../session/caching.ts";
import { terminationOf } from "../tls/listener_tls.ts";
import type { Termination } from "../tls/termination.ts";
import type { TlsReaders } from "../tls/tls_runtime.ts";
import { HandlerTables, type PluginUse } from "./handler_tables.ts";
import { type BoundAdmin, type ListenerRuntime, Snapshot } from "./snapshot.ts";

/** What a snapshot is built from. */
export interface BuildInput {
  readonly revision: number;
  readonly config: Config;
  /** What the files that `tls` names hold. */
  readonly files: ListenerFiles;
  readonly plugins: readonly PluginUse[];
  readonly backends: BackendRegistry;
  readonly lives: ClusterLives;
  /** Counts those that wait for slots over all workers, by cluster; left out where there is one worker only. */
  readonly waiting: ReadonlyMap<string, SeatCounts | undefined>;
  /** The backends' rows; undefined = each gets one of its own. */
  readonly rows: SharedRows | undefined;
  /** What health and conditions on time go by. */
  readonly clock: Clock;
  /** What sticky cookies are signed with; the same in all workers. */
  readonly secret: Uint8Array;
  readonly metrics: ProxyMetrics;
  /** The cache for a config that wants one. */
  readonly cache: (config: CacheConfig) => Cache;
  readonly onUnused: () => void;
}

/** What does not fit, each as a sentence with its place. */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** Builds it. Throws a {@linkcode SnapshotError} with everything that does not fit. */
export function buildSnapshot(input: BuildInput): Snapshot {
  const { config, plugins } = input;
  const problems: string[] = [];
  for (const { instance, config: said } of plugins) {
    if (said.products === undefined) continue;
    const place = { use: said.use, name: instance.name };
    collect(problems, () => guardProductScope(instance.parts, place));
  }
  const primitives = allPrimitives(input, problems);
  const policies = pluginPolicies(input, problems);
  const clusters = config.clusters.flatMap((cluster) =>
    collect(
      problems,
      () => buildCluster(cluster, input, policies),
      `clusters "${cluster.name}"`,
    ) ?? []
  );
  const dialers = clusterDialers(input, problems);
  const admins = pluginAdmins(input, problems);
  const products = config.products.map((product) => ({
    config: product,
    product: buildProduct(product, primitives, problems),
  }));
  const terminations = new Map(
    config.listeners.map((listener) => [
      listener.name,
      collect(
        problems,
        () => terminationOf(listener, input.files, tlsReaders(listener, input)),
        `listeners "${listener.name}" tls`,
      ),
    ]),
  );
  const rules = cacheRules(input, primitives, problems);
  if (problems.length > 0) throw new SnapshotError(problems);

  const snapshot = new Snapshot({
    revision: input.revision,
    clusters: new Map(clusters.map((cluster) => [cluster.name, cluster])),
    dialers,
    admins,
    cache: buildCache(input, rules),
    onUnused: input.onUnused,
  });
  const tables = new HandlerTables(plugins, input.metrics);
  for (const listener of config.listeners) {
    const tls = terminations.get(listener.name);
    snapshot.addListener(
      buildListener(listener, { products, tables, snapshot, tls }),
    );
  }
  return snapshot;
}

/** The primitives of the rule language, plugins' own among them. */
function allPrimitives(
  { plugins, metrics, clock }: BuildInput,
  problems: string[],
): PrimitiveTable {
  let primitives = builtinPrimitives(clock);
  for (const { instance } of plugins) {
    const own = Object.entries(instance.parts.conditions ?? {});
    for (const [name, factory] of own) {
      const errors = metrics.handlerErrors.series(instance.name, name);
      const failure = (thrown: unknown) => {
        errors.add(1);
        const { message } = asProxyError(thrown);
        return new ProxyError(
          "handler_error",
          `Condition ${name} of plugin "${instance.name}" failed: ${message}`,
          { cause: thrown },
        );
      };
      collect(problems, () => {
        primitives = extendPrimitives(primitives, name, factory, failure);
      }, `plugin "${instance.name}"`);
    }
  }
  return primitives;
}

type ClusterPolicies = ClusterSurroundings["policies"];

/** Plugins' balancing policies by name. */
function pluginPolicies(
  { plugins, metrics }: BuildInput,
  problems: string[],
): ClusterPolicies {
  const custom = new Map<string, () => BalancePolicy>();
  const owners = new Map<string, string>();
  for (const { instance } of plugins) {
    const own = Object.entries(instance.parts.balancers ?? {});
    for (const [name, make] of own) {
      if (BUILTIN_POLICIES.some((builtin) => builtin === name)) {
        problems.push(
          `plugin "${instance.name}": the policy "${name}" has a built-in one's name`,
        );
        continue;
      }
      const other = owners.get(name);
      if (other !== undefined) {
        problems.push(
          `plugin "${instance.name}": the policy "${name}" is already plugin "${other}"'s`,
        );
        continue;
      }
      custom.set(name, make);
      owners.set(name, instance.name);
    }
  }
  return {
    custom,
    failed: (policy) => {
      const owner = owners.get(policy)!;
      metrics.handlerErrors.series(owner, policy).add();
    },
  };
}

/** The dialers that clusters name, by the clusters' names. */
function clusterDialers(
  { config, plugins }: BuildInput,
  problems: string[],
): ReadonlyMap<string, BoundDialer> {
  const all = new Map<string, BoundDialer>();
  for (const { instance, config: { timeout } } of plugins) {
    const own = Object.entries(instance.parts.dialers ?? {});
    for (const [name, dialer] of own) {
      const other = all.get(name)?.plugin;
      if (other !== undefined) {
        problems.push(
          `plugin "${instance.name}": the dialer "${name}" is already plugin "${other}"'s`,
        );
        continue;
      }
      all.set(name, { name, plugin: instance.name, timeout, dialer });
    }
  }
  const used = new Map<string, BoundDialer>();
  for (const { name, dialer } of config.clusters) {
    if (dialer === undefined) continue;
    const bound = all.get(dialer);
    if (bound !== undefined) used.set(name, bound);
    else {
      problems.push(
        `clusters "${name}": no plugin has a dialer ${JSON.stringify(dialer)}${
          didYouMean(dialer, all.keys())
        }`,
      );
    }
  }
  return used;
}

/** What plugins show to operators, by the plugins' names. */
function pluginAdmins(
  { plugins }: BuildInput,
  problems: string[],
): ReadonlyMap<string, BoundAdmin> {
  const all = new Map<string, BoundAdmin>();
  for (const { instance, config: { timeout } } of plugins) {
    const { name: plugin, parts: { admin: app } } = instance;
    if (app === undefined) continue;
    if (all.has(plugin)) {
      problems.push(
        `plugin "${plugin}": another plugin with an admin part has this name, give one of them a name of its own`,
      );
    }
    all.set(plugin, { plugin, timeout, app });
  }
  return all;
}

function buildProduct(
  config: ProductConfig,
  primitives: PrimitiveTable,
  problems: string[],
): Product {
  const rules = config.rules.map((rule, i) => {
    const { when } = rule;
    const condition = when === undefined ? null : collect(
      problems,
      () => compileCondition(when, primitives, { hosts: config.hosts }),
      `products "${config.name}" rules[${i}].when`,
    );
    return { config: rule, when: condition ?? null };
  });
  return new Product(config.name, rules);
}

/** The cache's rules, where it is on. */
function cacheRules(
  { config: { cache } }: BuildInput,
  primitives: PrimitiveTable,
  problems: string[],
): CacheRule[] {
  if (cache?.enabled !== true) return [];
  return cache.rules.flatMap(({ when, key, ...rest }, i) => {
    const place = `cache rules[${i}]`;
    const condition = when === undefined ? undefined : collect(
      problems,
      () => compileCondition(when, primitives),
      `${place}.when`,
    );
    const maker = key === undefined
      ? urlKey
      : collect(problems, () => keyMaker(key), `${place}.key`);
    return {
      when: condition?.test ?? null,
      key: maker ?? urlKey,
      ttl: rest.ttl,
      negative: rest.negative,
      stale: rest.stale,
      minUses: rest.minUses ?? 1,
      bypass: rest.bypass ?? false,
    };
  });
}

function buildCache(
  { config: { cache }, cache: open }: BuildInput,
  rules: readonly CacheRule[],
): CacheRuntime | undefined {
  if (cache?.enabled !== true) return undefined;
  return {
    cache: open(cache),
    rules,
    purgeFrom: cache.purgeFrom.length === 0
      ? undefined
      : new CidrSet(cache.purgeFrom),
  };
}

function buildCluster(
  config: ClusterConfig,
  { backends: registry, lives, waiting, rows, clock, secret }: BuildInput,
  policies: ClusterPolicies,
): Cluster {
  const life = lives.get(config.name);
  const { passiveHealth, breaker, slowStart } = config;
  const settings = {
    connectTimeout: config.timeouts.connect,
    maxIdle: config.keepAlive.maxIdle,
    idleTimeout: config.keepAlive.idle,
    health: { passiveHealth, breaker, slowStart },
    tls: config.tls,
  };
  const members = config.subclusters.map((subcluster): ClusterMember[] =>
    subcluster.backends.map(({ id, url, ...share }) => ({
      share,
      backend: registry.acquire(
        { id, url, cluster: config.name, subcluster: subcluster.name },
        settings,
        share,
        (backend) => life.queue.freed(backend),
        rows,
      ),
    }))
  );
  return new Cluster(config, members, settings, {
    epoch: registry.epoch,
    clock,
    life,
    waiting: waiting.get(config.name),
    secret,
    policies,
  });
}

/** What the parts of a snapshot have in common, and the listener's TLS. */
interface ListenerParts {
  readonly products: readonly ProductEntry[];
  readonly tables: HandlerTables;
  readonly snapshot: Snapshot;
  readonly tls: Termination | undefined;
}

function buildListener(
  config: ListenerConfig,
  { products, tables, snapshot, tls }: ListenerParts,
): ListenerRuntime {
  const served = products.filter(({ config: { name } }) =>
    config.products === undefined || config.products.includes(name)
  );
  const ofEach = <Value>(make: (listener: string, product: string) => Value) =>
    new Map(served.map(({ config: { name } }) => [
      name,
      make(config.name, name),
    ]));
  const byProduct = ofEach((...names) => tables.product(...names));
  const global = tables.global(config.name);
  const websocket = ofEach((...names) => tables.websocket(...names));
  const observing = ofEach((...names) => tables.observers(...names));
  const observers = tables.observers(config.name, undefined);
  return {
    name: config.name,
    protocol: config.protocol,
    config,
    tls,
    limits: {
      ...config.limits,
      bodyBytes: config.limits.bodyBytes ?? Infinity,
    },
    timeouts: config.timeouts,
    trust: {
      trusted: config.trusted.length === 0
        ? undefined
        : new CidrSet(config.trusted),
      hops: config.hops,
    },
    cluster: config.cluster,
    sni: config.sni === undefined ? undefined : buildSni(config.sni),
    products: new ProductIndex(served),
    handlers: global,
    handlersOf: (product) => byProduct.get(product) ?? global,
    observers,
    observersOf: (product) => observing.get(product) ?? observers,
    websocketOf: (product) => websocket.get(product) ?? NO_PARTS,
    snapshot,
  };
}

function buildSni(sni: Readonly<Record<string, string>>): HostTable<string> {
  const table = new HostTable<string>();
  for (const [host, cluster] of Object.entries(sni)) table.set(host, cluster);
  return table;
}

/** Who reads TLS facts on a listener. */
function tlsReaders(
  listener: ListenerConfig,
  { config, plugins }: BuildInput,
): TlsReaders {
  const rules = config.products
    .filter(({ name }) => listener.products?.includes(name) ?? true)
    .flatMap(({ rules }) => rules);
  return {
    plugins: plugins
      .filter(({ instance, config: { listeners } }) =>
        (instance.needs.tlsFacts ||
          instance.parts.handlers?.handshake !== undefined) &&
        (listeners?.includes(listener.name) ?? true)
      )
      .map(({ instance }) => instance.name),
    primitives: listener.protocol === "tcp" ? [] : rules
      .flatMap(({ when }) => when === undefined ? [] : primitivesUsed(when))
      .filter((name) => TLS_PRIMITIVES.has(name)),
  };
}

const NO_PARTS: WebSocketParts = Object.freeze({
  providers: [],
  listeners: [],
});

/** What `make` returns; what it throws becomes a problem. */
function collect<T>(
  problems: string[],
  make: () => T,
  place?: string,
): T | undefined {
  try {
    return make();
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    problems.push(place === undefined ? message : `${place}: ${message}`);
    return undefined;
  }
}
