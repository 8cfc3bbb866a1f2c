/**
 * Builds a snapshot from a checked config, living plugins and backends.
 *
 * @module
 */
import { Cluster, type WeightedBackend } from "../balance/cluster.ts";
import { compileCondition } from "../conditions/compile.ts";
import type { PrimitiveTable } from "../conditions/primitive.ts";
import {
  builtinPrimitives,
  extendPrimitives,
} from "../conditions/primitives.ts";
import type {
  ClusterConfig,
  Config,
  ListenerConfig,
  ProductConfig,
} from "../config/config.ts";
import type { BackendRegistry } from "../connect/backend_registry.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import type { SharedRows } from "../health/shared_health.ts";
import { CidrSet } from "../net/cidr.ts";
import type { Clock } from "../net/clock.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import { guardProductScope } from "../plugins/guard.ts";
import { Product } from "../route/product.ts";
import { type ProductEntry, ProductIndex } from "../route/product_index.ts";
import { HandlerTables, type PluginUse } from "./handler_tables.ts";
import { type ListenerRuntime, Snapshot } from "./snapshot.ts";

/** What a snapshot is built from. */
export interface BuildInput {
  readonly revision: number;
  readonly config: Config;
  readonly plugins: readonly PluginUse[];
  readonly backends: BackendRegistry;
  /** The backends' rows; undefined = each gets one of its own. */
  readonly rows: SharedRows | undefined;
  readonly clock: Clock;
  readonly metrics: ProxyMetrics;
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
  const { config, plugins, metrics } = input;
  const problems: string[] = [];
  for (const { instance, config: said } of plugins) {
    if (said.products === undefined) continue;
    const place = { use: said.use, name: instance.name };
    collect(problems, () => guardProductScope(instance.parts, place));
  }
  const primitives = allPrimitives(plugins, metrics, problems);
  const products = config.products.map((product) => ({
    config: product,
    product: buildProduct(product, primitives, problems),
  }));
  if (problems.length > 0) throw new SnapshotError(problems);

  const snapshot = new Snapshot({
    revision: input.revision,
    clusters: new Map(
      config.clusters.map((cluster) => [
        cluster.name,
        buildCluster(cluster, input),
      ]),
    ),
    onUnused: input.onUnused,
  });
  const tables = new HandlerTables(plugins, metrics);
  for (const listener of config.listeners) {
    snapshot.addListener(buildListener(listener, products, tables, snapshot));
  }
  return snapshot;
}

/** The primitives of the rule language, plugins' own among them. */
function allPrimitives(
  plugins: readonly PluginUse[],
  metrics: ProxyMetrics,
  problems: string[],
): PrimitiveTable {
  let primitives = builtinPrimitives();
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

function buildProduct(
  config: ProductConfig,
  primitives: PrimitiveTable,
  problems: string[],
): Product {
  const rules = config.rules.map((rule, i) => {
    const { when } = rule;
    const condition = when === undefined ? null : collect(
      problems,
      () => compileCondition(when, primitives),
      `products "${config.name}" rules[${i}].when`,
    );
    return { config: rule, when: condition ?? null };
  });
  return new Product(config.name, rules);
}

function buildCluster(
  config: ClusterConfig,
  { backends: registry, rows, clock }: BuildInput,
): Cluster {
  const { passiveHealth, breaker, slowStart } = config;
  const settings = {
    connectTimeout: config.timeouts.connect,
    maxIdle: config.keepAlive.maxIdle,
    idleTimeout: config.keepAlive.idle,
    health: { passiveHealth, breaker, slowStart },
  };
  const backends = config.subclusters.map((subcluster): WeightedBackend[] =>
    subcluster.backends.map(({ id, url, weight }) => ({
      weight,
      backend: registry.acquire(
        { id, url, cluster: config.name, subcluster: subcluster.name },
        settings,
        weight,
        rows,
      ),
    }))
  );
  const { epoch } = registry;
  return new Cluster(config, backends, settings, { epoch, clock });
}

function buildListener(
  config: ListenerConfig,
  products: readonly ProductEntry[],
  tables: HandlerTables,
  snapshot: Snapshot,
): ListenerRuntime {
  const served = products.filter(({ config: { name } }) =>
    config.products === undefined || config.products.includes(name)
  );
  const byProduct = new Map(
    served.map(({ config: { name } }) => [
      name,
      tables.product(config.name, name),
    ]),
  );
  const global = tables.global(config.name);
  return {
    name: config.name,
    protocol: config.protocol,
    config,
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
    products: new ProductIndex(served),
    handlers: global,
    handlersOf: (product) => byProduct.get(product) ?? global,
    snapshot,
  };
}

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
