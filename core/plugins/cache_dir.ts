/**
 * Where fetched plugins are kept.
 *
 * @module
 */
import { isAbsolute, join, resolve } from "node:path";

/**
 * The cache folder: `HEADRACE_CACHE`, else `headrace` in `XDG_CACHE_HOME`, in
 * `LOCALAPPDATA` (Windows) or in `~/.cache`; with none of them, as in an empty
 * environment, `.headrace-cache` in the working folder. It is made when the
 * first plugin is laid out, not before.
 */
export function defaultCacheDir(
  env: { get(name: string): string | undefined },
): string {
  const chosen = env.get("HEADRACE_CACHE");
  if (chosen) return resolve(chosen);
  const caches = [env.get("XDG_CACHE_HOME"), env.get("LOCALAPPDATA")];
  for (const folder of caches) {
    // The XDG Base Directory Specification has relative paths ignored.
    if (folder && isAbsolute(folder)) return join(folder, "headrace");
  }
  const home = env.get("HOME");
  if (home && isAbsolute(home)) return join(home, ".cache", "headrace");
  return resolve(".headrace-cache");
}
