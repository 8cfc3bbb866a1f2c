/**
 * `dns: all`: every address of a backend's host name is a backend of its own.
 *
 * @module
 */
import { addressBackendId, fixedAddress } from "../config/backend_url.ts";
import type { BackendConfig, Config } from "../config/config.ts";

/** The host names that the config wants to be expanded, each once. */
export function namesToExpand(config: Config): ReadonlySet<string> {
  return new Set(
    config.clusters.filter(({ dns }) => dns === "all")
      .flatMap(({ subclusters }) => subclusters)
      .flatMap(({ backends }) => backends)
      .filter(({ url }) => fixedAddress(url) === undefined)
      .map(({ url }) => url.hostname),
  );
}

/**
 * The config with a backend for each address of such a name, in their order,
 * where the one of the name stood: none for a name without addresses. All that
 * is said of the one holds for each of them.
 */
export function expandNames(
  config: Config,
  addressesOf: (hostname: string) => readonly string[],
): Config {
  if (namesToExpand(config).size === 0) return config;
  const expand = (backend: BackendConfig): readonly BackendConfig[] => {
    const { id, url } = backend;
    if (fixedAddress(url) !== undefined) return [backend];
    return addressesOf(url.hostname).map((address) => ({
      ...backend,
      id: addressBackendId(id, address),
      url: { ...url, address },
    }));
  };
  return {
    ...config,
    clusters: config.clusters.map((cluster) =>
      cluster.dns === "all"
        ? {
          ...cluster,
          subclusters: cluster.subclusters.map((subcluster) => ({
            ...subcluster,
            backends: subcluster.backends.flatMap(expand),
          })),
        }
        : cluster
    ),
  };
}
