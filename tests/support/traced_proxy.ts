/**
 * A proxy whose callback points a tracer notes, and a client of it.
 *
 * @module
 */
import { followStates } from "./follow_states.ts";
import { HttpClient } from "./http_client.ts";
import type { ProxyOptions, TestProxy } from "./proxy.ts";
import { type ProxyWith, startProxyWith } from "./proxy_with.ts";
import { Tracer } from "./tracer.ts";

/** Everything that a test of point sequences works with. */
export interface TracedProxy extends AsyncDisposable {
  readonly tracer: Tracer;
  readonly proxy: TestProxy;
  readonly client: HttpClient;
  /**
   * Closes the client and waits for the session's end; what was noted since the
   * last time. Rejects where that is no way through the table of states.
   */
  finished(): Promise<string[]>;
}

/** Starts it and connects the client. The tracer is the first plugin. */
export async function tracedProxy(
  parts: ProxyWith,
  options?: ProxyOptions,
): Promise<TracedProxy> {
  const tracer = new Tracer();
  const proxy = await startProxyWith({
    ...parts,
    plugins: [tracer.plugin, ...parts.plugins ?? []],
  }, options);
  const client = await HttpClient.connect(proxy.port());
  return {
    tracer,
    proxy,
    client,
    async finished() {
      client.close();
      await tracer.seen("finish");
      followStates(tracer.events.slice(begin(tracer.events)));
      return tracer.take();
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

/** Where the first transaction begins that was not taken in part before. */
function begin(events: readonly string[]): number {
  const at = events.indexOf("transactionStart");
  return at < 0 ? events.length : at;
}
