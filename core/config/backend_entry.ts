/**
 * A backend that is added while Headrace runs: an entry as the file's
 * `backends` has them, judged by the same rules.
 *
 * @module
 */
import type { BackendConfig } from "./config.ts";
import { checkTree } from "./load.ts";
import { type Finding, formatPath, formatProblem } from "./problem.ts";

/** The backend, or what is wrong with the entry, each as a sentence with its key. */
export type BackendEntryResult =
  | { readonly backend: BackendConfig; readonly problems: readonly [] }
  | { readonly backend: undefined; readonly problems: readonly string[] };

/** The steps to an entry in the file that is made for it. */
const DEPTH = ["clusters", 0, "backends", 0].length;

/**
 * Checks an entry and fills in its defaults. `protocol` is what its cluster
 * serves. Nothing is expanded in it.
 */
export async function checkBackendEntry(
  entry: unknown,
  { protocol }: { readonly protocol: "http" | "tcp" },
): Promise<BackendEntryResult> {
  const name = "cluster";
  const listener = { name: "listener", address: "127.0.0.1:0", protocol };
  const { config, findings } = await checkTree({
    listeners: [protocol === "tcp" ? { ...listener, cluster: name } : listener],
    clusters: [{ name, backends: [entry] }],
  });
  return config === undefined
    ? { backend: undefined, problems: findings.map(tell) }
    : {
      backend: config.clusters[0]!.subclusters[0]!.backends[0]!,
      problems: [],
    };
}

function tell({ path, message, suggestion, ...rest }: Finding): string {
  return formatProblem({
    file: "backend",
    path: formatPath(path.slice(DEPTH)),
    message,
    suggestion,
    ...("value" in rest && { value: rest.value }),
  });
}
