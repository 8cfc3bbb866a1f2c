/**
 * Configs for tests of plugins that come over HTTP, with any number of workers.
 *
 * @module
 */
import { RefusedError } from "../../core/data_plane/control.ts";
import { assertRejects } from "./assert.ts";
import { configWith, type ProxyWith } from "./proxy_with.ts";

/** How many workers the tests of plugins run with. */
export const WORKERS = [1, 2] as const;

/** The config of a proxy with so many workers whose one product answers by itself. */
export function pluginConfig(workers: number, parts: ProxyWith): string {
  const products = [{
    name: "site",
    default: true,
    rules: [{ respond: { status: 200, body: "ok" } }],
  }];
  const config = JSON.parse(configWith({ products, ...parts }));
  // Workers log to standard error by themselves.
  const keys = { ...config, workers, log: { level: "error" } };
  return Object.entries(keys)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join("");
}

/** The problems of a config that is refused. */
export async function problemsOf(
  load: () => Promise<unknown>,
): Promise<readonly string[]> {
  return (await assertRejects(load, RefusedError)).problems;
}
