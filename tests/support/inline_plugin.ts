/**
 * Plugins that are written inside of a test: the config names a `data:` URL
 * whose module fetches the object, so that handlers share the test's variables.
 * One worker only: others live in threads of their own.
 *
 * @module
 */
import type {
  Handlers,
  Plugin,
  PluginContext,
  PluginParts,
} from "../../core/plugin.ts";
import { dataPlugin } from "./data_plugin.ts";

/** The registry lies on the global object: the only thing that a test's module and a plugin's share. */
const KEY = "headrace.tests.plugins";

/** A URL under which the loader gets exactly this object. */
export function inlinePlugin<Options>(plugin: Plugin<Options>): string {
  const key = Symbol.for(KEY);
  const shared = globalThis as unknown as Record<
    symbol,
    Map<string, unknown> | undefined
  >;
  const plugins = shared[key] ??= new Map();
  const id = crypto.randomUUID();
  plugins.set(id, plugin);
  return dataPlugin(
    `export default globalThis[Symbol.for("${KEY}")].get("${id}");`,
  );
}

/** An entry of the config's `plugins` with these parts, and what else the entry is to say. */
export function partsPlugin(
  name: string,
  parts: PluginParts,
  config: object = {},
): object {
  return { use: inlinePlugin({ name, setup: () => parts }), ...config };
}

/** An entry of the config's `plugins` for a plugin of nothing but handlers; what no name may hold becomes a dash. */
export function handlersPlugin(
  name: string,
  handlers: Handlers | ((context: PluginContext<unknown>) => Handlers),
): { readonly use: string } {
  return {
    use: inlinePlugin({
      name: name.replaceAll(/[^\w.-]/g, "-"),
      setup: (context) => ({
        handlers: typeof handlers === "function" ? handlers(context) : handlers,
      }),
    }),
  };
}

/** As {@linkcode handlersPlugin} for what the compiler would refuse: untyped JavaScript. */
export function untypedPlugin(
  name: string,
  handlers: Readonly<Record<string, unknown>>,
): { readonly use: string } {
  return handlersPlugin(name, handlers as Handlers);
}
