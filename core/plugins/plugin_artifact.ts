/**
 * What is known of a plugin before it runs: plain data, posted to every worker.
 *
 * @module
 */

/** A plugin as the config asks for it. */
export interface PluginRequest {
  /** A URL, a path that begins with `./`, `../` or `/`, or `builtin:NAME`. */
  readonly use: string;
  /** The pin: `sha256-…` as `headrace plugin hash` prints it. */
  readonly integrity?: string;
}

/** A plugin that was found, fetched and laid out; each worker imports `entry`. */
export interface PluginArtifact {
  /** The plugin as the config names it. */
  readonly use: string;
  /** The absolute URL that `use` means, before redirects. */
  readonly url: string;
  /**
   * `builtin` is compiled in, `module` was fetched by Headrace, `runtime`
   * (`npm:`, `jsr:`) is the runtime's to fetch.
   */
  readonly kind: "builtin" | "module" | "runtime";
  /** What to import: a `file:` URL in the cache, `builtin:NAME`, or `npm:`/`jsr:`. */
  readonly entry: string;
  /** `sha256-…` over the whole graph; over the specifier where Headrace did not fetch it. */
  readonly hash: string;
  /** The modules of the graph, in the order of their files; empty where Headrace did not fetch them. */
  readonly modules: readonly ArtifactModule[];
  /** Where an executable fetched it: how to get it embedded, for a refusal. */
  readonly advice?: string;
}

/** One module of a plugin's graph, as it was fetched. */
export interface ArtifactModule {
  /** Where it came from in the end, after redirects. */
  readonly url: string;
  /** Bytes. */
  readonly size: number;
  /** Hex digits. */
  readonly sha256: string;
}
