/**
 * The folder of the cache on disk: what can't be one is refused with the config.
 *
 * @module
 */
import { access, constants } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Config } from "./config.ts";
import type { Finding } from "./problem.ts";
import { child, root, textAt } from "./tree.ts";

/** What is wrong with `cache.disk.path`; `at` is where a path leads. Makes nothing. */
export async function cacheDiskFindings(
  tree: unknown,
  at: (path: string) => string,
): Promise<Finding[]> {
  const cache = child(root(tree), "cache");
  const disk = cache && child(cache, "disk");
  const place = disk && textAt(disk, "path");
  if (place === undefined) return [];
  const message = await problemOf(resolve(at(place.value)));
  return message === undefined ? [] : [{ ...place, message }];
}

/** The folder, or the next one above it that is there: it is to be made in that. */
async function problemOf(path: string): Promise<string | undefined> {
  for (let folder = path;; folder = dirname(folder)) {
    let isDirectory: boolean;
    try {
      ({ isDirectory } = await Deno.stat(folder));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound && folder !== dirname(folder)) {
        continue;
      }
      const name = error instanceof Error ? error.name : "unknown reason";
      return `cannot look at the folder ${folder} (${name})`;
    }
    if (!isDirectory) return `expected a folder, ${folder} is none`;
    try {
      await access(folder, constants.W_OK | constants.X_OK);
      return undefined;
    } catch {
      return `expected a folder that may be written to, ${folder} may not`;
    }
  }
}

/** The config with the folder where it is. */
export function withCachePath(
  config: Config,
  at: (path: string) => string,
): Config {
  const disk = config.cache?.disk;
  if (disk === undefined) return config;
  return {
    ...config,
    cache: { ...config.cache!, disk: { ...disk, path: at(disk.path) } },
  };
}
