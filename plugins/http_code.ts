/**
 * Counts statuses by product and cluster.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - { use: "builtin:http-code", options: { detail: code } }
 * ```
 *
 * `headrace_plugin_http_code_statuses_total{product,cluster,status}` counts each
 * transaction once, when all is final: errors, redirects and handlers' responses
 * too. `status` is what was sent, 499 where the client left before, `none` where
 * the connection was closed without an answer, and `other` for what is no status
 * from 100 to 599. `product` and `cluster` are empty where it did not come to
 * them. With `detail: class` it is `2xx` and so on, of which there are fewer.
 *
 * @module
 */
import { z } from "zod";
import type { Plugin } from "../core/plugin.ts";

const Options = z.strictObject({
  detail: z.enum(["code", "class"]).default("code").describe(
    "Each status by itself, or only its hundred",
  ),
}).prefault({});

type HttpCodeOptions = z.output<typeof Options>;

export default {
  name: "http-code",
  options: Options,
  setup({ options, metrics }) {
    const byCode = options.detail === "code";
    const statuses = metrics.counter(
      "statuses_total",
      "Transactions by the status that was sent",
      ["product", "cluster", "status"],
    );
    return {
      handlers: {
        transactionClose({ request, status }) {
          statuses.add(
            1,
            request?.product ?? "",
            request?.cluster ?? "",
            label(status, byCode),
          );
        },
      },
    };
  },
} satisfies Plugin<HttpCodeOptions>;

function label(status: number, byCode: boolean): string {
  if (status === 0) return "none";
  if (status < 100 || status > 599) return "other";
  return byCode ? String(status) : `${Math.floor(status / 100)}xx`;
}
