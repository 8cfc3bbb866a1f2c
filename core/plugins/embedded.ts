/**
 * Plugins that an executable holds.
 *
 * `headrace compile` fetches, checks and lays out a config's plugins as a start
 * would, and puts the files that come of that into the executable: so that what
 * is pinned is what is embedded, and a plugin runs the same code everywhere.
 *
 * @module
 */
import type { ArtifactModule, PluginArtifact } from "./plugin_artifact.ts";
import type { PluginSource } from "./plugin_url.ts";

/** A plugin that an executable holds. */
export interface EmbeddedPlugin {
  /** The URL that it stands for; for a path, the path as the config had it. */
  readonly url: string;
  readonly kind: "module" | "runtime";
  /** A `file:` URL inside the executable, or `npm:`/`jsr:`. */
  readonly entry: string;
  /** `sha256-…` over the whole graph; over the specifier for `npm:` and `jsr:`. */
  readonly hash: string;
  readonly modules: readonly ArtifactModule[];
}

/** What an executable holds besides Headrace itself. */
export interface Embedding {
  readonly plugins: readonly EmbeddedPlugin[];
  /** For refusals: how to get the plugins of the config embedded. */
  readonly advice: string;
}

/** Under which name `use` is embedded: a path stands for the same path in any folder. */
export function embeddedUrl(use: string, source: PluginSource): string {
  switch (source.kind) {
    case "builtin":
      return `builtin:${source.name}`;
    case "runtime":
      return source.specifier;
    case "module":
      return isRelative(use) ? use : source.url.href;
  }
}

/**
 * The embedded plugin that `use` means; undefined where there is none, or where
 * the pin asks for other bytes.
 */
export function findEmbedded(
  use: string,
  source: PluginSource,
  pin: string | undefined,
  embedding: Embedding | undefined,
): PluginArtifact | undefined {
  const url = embeddedUrl(use, source);
  const found = embedding?.plugins.find((plugin) => plugin.url === url);
  if (found === undefined) return undefined;
  if (pin !== undefined && pin !== found.hash) return undefined;
  const { kind, entry, hash, modules } = found;
  return {
    use,
    url: source.kind === "module" ? source.url.href : url,
    kind,
    entry,
    hash,
    modules,
  };
}

function isRelative(use: string): boolean {
  return /^\.{1,2}\//.test(use);
}
