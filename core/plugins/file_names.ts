/**
 * How the files of a plugin's graph in the cache are called.
 *
 * @module
 */
import type { ModuleType } from "./media_type.ts";

/**
 * The file of a graph's module, with its number in front. `.mjs`, as a
 * package.json above the cache may say that `.js` is CommonJS.
 */
export function fileName(index: number, url: URL, type: ModuleType): string {
  const last = url.protocol === "data:"
    ? "data"
    : url.pathname.split("/").at(-1)!;
  const name = last.replace(/\.[a-z]+$/i, "").replace(/[^A-Za-z0-9_-]+/g, "_")
    .slice(0, 40);
  const extension = type === "json" ? "json" : "mjs";
  return `${String(index).padStart(3, "0")}_${name || "index"}.${extension}`;
}

/** The number of the module that is in a file of {@linkcode fileName}. */
export function moduleNumber(fileName: string): number {
  return Number.parseInt(fileName, 10);
}
