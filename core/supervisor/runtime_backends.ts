/**
 * Backends that operators added and deleted while Headrace runs: what stands
 * between the file and the config in use.
 *
 * They hold until the next start. A reload keeps them as long as the file does
 * not say otherwise: an added one goes where the file has its id itself now or
 * its cluster no longer, a deleted one comes back where the file's entry of it
 * was changed, or left out once.
 *
 * @module
 */
import type {
  BackendConfig,
  ClusterConfig,
  Config,
  SubclusterConfig,
} from "../config/config.ts";

/** A backend and where it stands. */
export interface PlacedBackend {
  /** The cluster's name. */
  readonly cluster: string;
  /** The subcluster's name. */
  readonly subcluster: string;
  readonly config: BackendConfig;
}

/** What operators changed of the file's backends. */
export interface RuntimeBackends {
  /** Behind the file's own of their subclusters, in the order in which they came. */
  readonly added: readonly PlacedBackend[];
  /** As the file had them when they were deleted. */
  readonly deleted: readonly PlacedBackend[];
}

/** Nothing was changed. */
export const UNCHANGED: RuntimeBackends = Object.freeze({
  added: [],
  deleted: [],
});

/** A config with what operators changed. */
export interface Revised {
  readonly config: Config;
  /** What of the changes holds for this config. */
  readonly runtime: RuntimeBackends;
  /** Added ones that the file contradicts. */
  readonly dropped: readonly PlacedBackend[];
}

/** The file's config with what operators changed, as far as the file does not contradict. */
export function revise(file: Config, runtime: RuntimeBackends): Revised {
  if (runtime.added.length + runtime.deleted.length === 0) {
    return { config: file, runtime, dropped: [] };
  }
  const inFile = placedBackends(file);
  const deleted = runtime.deleted.filter((one) =>
    inFile.some((other) => isSame(one, other))
  );
  const gone = new Set(deleted.map(({ config }) => config.id));
  const taken = new Set(
    inFile.map(({ config }) => config.id).filter((id) => !gone.has(id)),
  );
  const added = runtime.added.filter((one) =>
    !taken.has(one.config.id) && subclusterOf(file, one) !== undefined
  );
  const config = mapSubclusters(file, (cluster, subcluster) => ({
    ...subcluster,
    backends: [
      ...subcluster.backends.filter(({ id }) => !gone.has(id)),
      ...added.filter((one) =>
        one.cluster === cluster.name && one.subcluster === subcluster.name
      ).map(({ config }) => config),
    ],
  }));
  const dropped = runtime.added.filter((one) => !added.includes(one));
  return { config, runtime: { added, deleted }, dropped };
}

/** The changes with one more backend. */
export function withAdded(
  { added, deleted }: RuntimeBackends,
  backend: PlacedBackend,
): RuntimeBackends {
  return { added: [...added, backend], deleted };
}

/** The changes with this backend deleted, whether it was added or is the file's. */
export function withDeleted(
  { added, deleted }: RuntimeBackends,
  backend: PlacedBackend,
): RuntimeBackends {
  const { id } = backend.config;
  const others = added.filter(({ config }) => config.id !== id);
  return others.length < added.length
    ? { added: others, deleted }
    : { added, deleted: [...deleted, backend] };
}

/** Every backend of a config with its place, in its order. */
export function placedBackends(config: Config): PlacedBackend[] {
  return config.clusters.flatMap((cluster) =>
    cluster.subclusters.flatMap((subcluster) =>
      subcluster.backends.map((backend) => ({
        cluster: cluster.name,
        subcluster: subcluster.name,
        config: backend,
      }))
    )
  );
}

function subclusterOf(
  { clusters }: Config,
  { cluster, subcluster }: PlacedBackend,
): SubclusterConfig | undefined {
  return clusters.find(({ name }) => name === cluster)?.subclusters
    .find(({ name }) => name === subcluster);
}

function mapSubclusters(
  config: Config,
  change: (
    cluster: ClusterConfig,
    subcluster: SubclusterConfig,
  ) => SubclusterConfig,
): Config {
  return {
    ...config,
    clusters: config.clusters.map((cluster) => ({
      ...cluster,
      subclusters: cluster.subclusters.map((one) => change(cluster, one)),
    })),
  };
}

/** Both come of the same schema, so that the same keys stand in the same order. */
function isSame(a: PlacedBackend, b: PlacedBackend): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
