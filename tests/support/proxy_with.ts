/**
 * Starts a proxy of one listener and one cluster around what a test is about.
 *
 * @module
 */
import { type ProxyOptions, startProxy, type TestProxy } from "./proxy.ts";

/** What of the config a test cares for. */
export interface ProxyWith {
  /** URLs of the cluster's backends, named `a`, `b`, …; by default none. */
  readonly backends?: readonly string[];
  /** Entries of `plugins`. */
  readonly plugins?: readonly object[];
  /** Further keys of the listener. */
  readonly listener?: object;
  /** Further keys of the cluster. */
  readonly cluster?: object;
  /** `products`; by default all hosts go to the cluster. */
  readonly products?: readonly object[];
  /** `cache`; by default there is none. */
  readonly cache?: object;
  /** Default 1. */
  readonly workers?: number;
  /** What reads and writes connections. */
  readonly io?: "standard" | "direct";
  /** Listeners and clusters besides. */
  readonly listeners?: readonly object[];
  readonly clusters?: readonly object[];
}

/** The config of `startProxyWith`: listener `web`, cluster `main`. */
export function configWith(parts: ProxyWith): string {
  const backends = (parts.backends ?? []).map((url, i) => ({
    id: String.fromCharCode(97 + i),
    url,
  }));
  return JSON.stringify({
    listeners: [
      { name: "web", address: "127.0.0.1:0", ...parts.listener },
      ...parts.listeners ?? [],
    ],
    ...(parts.products !== undefined && { products: parts.products }),
    clusters: [
      { name: "main", backends, ...parts.cluster },
      ...parts.clusters ?? [],
    ],
    plugins: parts.plugins ?? [],
    ...(parts.cache !== undefined && { cache: parts.cache }),
    workers: parts.workers ?? 1,
    ...(parts.io !== undefined && { io: parts.io }),
  });
}

/** Starts it. */
export function startProxyWith(
  parts: ProxyWith,
  options?: ProxyOptions,
): Promise<TestProxy> {
  return startProxy(configWith(parts), options);
}
