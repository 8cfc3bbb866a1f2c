/**
 * The config of a proxy around plugins under test.
 *
 * @module
 */
import type { Plugin } from "../plugin.ts";
import type { Builtins } from "../plugins/import_plugin.ts";

/** A plugin under test, with what the config says of it. */
export interface TestedPlugin {
  /** A plugin module's default export. */
  // deno-lint-ignore no-explicit-any -- options stand in both directions, so that no other type argument takes every plugin
  readonly plugin: Plugin<any>;
  /** As the config has them: the plugin's schema checks them. */
  readonly options?: unknown;
  /** Further keys of its entry in `plugins`: `name`, `products`, `listeners`, `order`, `timeout`, `onError`. */
  readonly entry?: Readonly<Record<string, unknown>>;
}

/** A proxy around plugins under test. */
export interface TestedProxy {
  /** In the order of the config. */
  readonly plugins: readonly TestedPlugin[];
  /**
   * Keys of the config, as the file has them, instead of the default ones: a
   * listener `web`, and a cluster `main` that gets every request.
   */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** The plugins by the names under which the config asks for them. */
export function testedBuiltins(
  { plugins }: TestedProxy,
): Builtins {
  return new Map(
    plugins.map(({ plugin }, i) => [
      `tested-${i}`,
      () => Promise.resolve({ default: plugin as Plugin }),
    ]),
  );
}

/** The config's text. */
export function testedConfig(
  { plugins, config = {} }: TestedProxy,
  backend: string,
): string {
  return JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    clusters: [{ name: "main", backends: [{ id: "backend", url: backend }] }],
    plugins: plugins.map(({ options, entry }, i) => ({
      use: `builtin:tested-${i}`,
      ...(options !== undefined && { options }),
      ...entry,
    })),
    workers: 1,
    ...config,
  });
}
