/**
 * What operators may add to and delete from the backends of the config in use.
 *
 * @module
 */
import { checkBackendEntry } from "../config/backend_entry.ts";
import type { ClusterConfig, Config } from "../config/config.ts";
import {
  type PlacedBackend,
  placedBackends,
  type RuntimeBackends,
  withAdded,
  withDeleted,
} from "./runtime_backends.ts";

/** A backend that is to be added. */
export interface BackendAddition {
  /** The cluster's name. */
  readonly cluster: string;
  /** The subcluster's name; may be left out where the cluster has one only. */
  readonly subcluster?: string | undefined;
  /** As an entry of the file's `backends`. */
  readonly entry: unknown;
}

/** Why a backend is not added: its cluster is unknown, it is wrong, or its id or URL is one that another backend has. Why it is not deleted: it is an address of a name. */
export type BackendRefusalKind =
  | "unknown"
  | "invalid"
  | "id"
  | "url"
  | "address";

/** A backend that is neither added nor deleted. */
export class BackendRefusal extends Error {
  override readonly name = "BackendRefusal";
  readonly kind: BackendRefusalKind;

  constructor(kind: BackendRefusalKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** The backend with its defaults and its place. Rejects with a {@linkcode BackendRefusal}. */
export async function checkAddition(
  config: Config,
  { cluster: name, subcluster, entry }: BackendAddition,
): Promise<PlacedBackend> {
  const cluster = clusterOf(config, name);
  const place = chooseSubcluster(cluster, subcluster);
  const { backend, problems } = await checkBackendEntry(entry, {
    protocol: servesBytes(config, name) ? "tcp" : "http",
  });
  if (backend === undefined) {
    throw new BackendRefusal("invalid", problems.join("; "));
  }
  return { cluster: name, subcluster: place, config: backend };
}

/**
 * The changes with this backend. `config` has them, `running` an address for each
 * name besides. Throws a {@linkcode BackendRefusal} where there is no room for it.
 */
export function add(
  config: Config,
  runtime: RuntimeBackends,
  backend: PlacedBackend,
  running: Config,
): RuntimeBackends {
  chooseSubcluster(clusterOf(config, backend.cluster), backend.subcluster);
  const { id, url } = backend.config;
  const others = placedBackends(config);
  const sameUrl = others.find((other) =>
    other.cluster === backend.cluster && other.config.url.href === url.href
  );
  if (sameUrl !== undefined) {
    throw new BackendRefusal(
      "url",
      `backend url: expected one that no other backend of the cluster has, ${
        JSON.stringify(sameUrl.config.id)
      } has it`,
    );
  }
  const sameId = [...others, ...placedBackends(running)]
    .find((other) => other.config.id === id);
  if (sameId !== undefined) {
    throw new BackendRefusal(
      "id",
      `backend id: expected one that no other backend has, one of the cluster ${
        JSON.stringify(sameId.cluster)
      } has ${JSON.stringify(id)}`,
    );
  }
  return withAdded(runtime, backend);
}

/**
 * The changes without this backend; the same where there is none of this name.
 * Throws a {@linkcode BackendRefusal} for an address of a name, as `running` has
 * them.
 */
export function remove(
  config: Config,
  runtime: RuntimeBackends,
  { id, cluster }: BackendName,
  running: Config,
): RuntimeBackends {
  const isMeant = (one: PlacedBackend) =>
    one.config.id === id && (cluster === undefined || one.cluster === cluster);
  const backend = placedBackends(config).find(isMeant);
  if (backend !== undefined) return withDeleted(runtime, backend);
  const address = placedBackends(running).find(isMeant);
  if (address === undefined) return runtime;
  const name = id.slice(0, id.lastIndexOf("@"));
  throw new BackendRefusal(
    "address",
    `Cannot delete ${JSON.stringify(id)} as it is an address of ${
      JSON.stringify(name)
    }: delete that one`,
  );
}

/** A backend by its id, which is unique. */
export interface BackendName {
  readonly id: string;
  /** Only if it is one of this cluster. */
  readonly cluster?: string | undefined;
}

function clusterOf({ clusters }: Config, name: string): ClusterConfig {
  const cluster = clusters.find((one) => one.name === name);
  if (cluster !== undefined) return cluster;
  throw new BackendRefusal(
    "unknown",
    `No cluster of the config has this name: ${JSON.stringify(name)}`,
  );
}

function chooseSubcluster(
  { subclusters }: ClusterConfig,
  wanted: string | undefined,
): string {
  const names = subclusters.map(({ name }) => name);
  const name = wanted ?? (names.length === 1 ? names[0]! : undefined);
  if (name !== undefined && names.includes(name)) return name;
  throw new BackendRefusal(
    "invalid",
    `backend subcluster: expected one of ${names.join(", ")}${
      wanted === undefined ? "" : `, is ${JSON.stringify(wanted)}`
    }`,
  );
}

/** Whether only tcp listeners name the cluster: the others get requests. */
function servesBytes(
  { listeners, products }: Config,
  name: string,
): boolean {
  return listeners.some(({ cluster }) => cluster === name) &&
    !products.some(({ rules }) =>
      rules.some(({ cluster }) => cluster === name)
    );
}
