/**
 * One GET through a proxy whose handlers a test writes.
 *
 * @module
 */
import type { Handlers } from "../../core/plugin.ts";
import { type ClientResponse, HttpClient } from "./http_client.ts";
import { handlersPlugin } from "./inline_plugin.ts";
import { type ProxyWith, startProxyWith } from "./proxy_with.ts";

/** Starts the proxy, asks it, stops it. */
export async function getWith(
  handlers: Handlers,
  { path = "/", ...parts }: ProxyWith & { readonly path?: string },
): Promise<ClientResponse> {
  await using proxy = await startProxyWith({
    ...parts,
    plugins: [handlersPlugin("edits", handlers)],
  });
  using client = await HttpClient.connect(proxy.port());
  return await client.get(path);
}
