/**
 * A proxy whose cluster's WebSocket sessions go to a dialer of a test's.
 *
 * @module
 */
import type {
  BackendDialer,
  PluginContext,
  PluginParts,
  WebSocketTools,
} from "../../core/plugin.ts";
import type { FakeDialer } from "./fake_dialer.ts";
import { inlinePlugin } from "./inline_plugin.ts";
import { metricValue } from "./metric_value.ts";
import type { TestProxy } from "./proxy.ts";
import { type ProxyWith, startProxyWith } from "./proxy_with.ts";

/** The lines of a client's handshake with fields of its own. */
const LINES = [
  "GET /chat?x=%20 HTTP/1.1",
  "Host: shop.example:81",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Extensions: permessage-deflate",
  "X-Own: 1",
];

/** A client's handshake with these lines behind its own. */
export function handshake(...fields: string[]): string {
  return [...LINES, ...fields, "", ""].join("\r\n");
}

/** An entry of `plugins` that brings a dialer, by default called `fake`. */
export function dialerPlugin(dialer: BackendDialer, name = "fake"): object {
  return {
    use: inlinePlugin({
      name: "dialing",
      setup: () => ({ dialers: { [name]: dialer } }),
    }),
  };
}

/** Starts it; the plugin is called `dialing` and may have more parts. */
export function startDialing(
  dialer: BackendDialer,
  parts: ProxyWith = {},
  more: (context: PluginContext<unknown>) => PluginParts = () => ({}),
): Promise<TestProxy> {
  const use = inlinePlugin({
    name: "dialing",
    setup: (context) => ({ dialers: { fake: dialer }, ...more(context) }),
  });
  return startProxyWith({
    ...parts,
    cluster: { dialer: "fake", ...parts.cluster },
    plugins: [{ use }, ...parts.plugins ?? []],
  });
}

/** As {@linkcode startDialing}, with the tools that `setup` gets. */
export async function startWithTools(
  dialer: FakeDialer,
  parts: ProxyWith = {},
): Promise<{ proxy: TestProxy; ws: WebSocketTools }> {
  let tools: WebSocketTools | undefined;
  const proxy = await startDialing(dialer, parts, ({ ws }) => {
    tools = ws;
    return {};
  });
  return { proxy, ws: tools! };
}

/** How often a plugin failed at a point. */
export async function failuresOf(
  proxy: TestProxy,
  point: string,
  plugin = "dialing",
): Promise<number> {
  const { metrics } = await proxy.report();
  return metricValue(metrics, "headrace_handler_errors_total", {
    plugin,
    point,
  });
}
