/**
 * Rewrites the requests that backends get: host, path and query, by condition.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules:
 *       - { when: 'req_path_prefix_in("/v2/", false)', respond: { status: 200, body: "two\n" } }
 *       - { respond: { status: 200, body: "one\n" } }
 * plugins:
 *   - use: "builtin:rewrite"
 *     options:
 *       routing: true
 *       rules:
 *         - { stripPrefix: "/api", addPrefix: "/v2", querySet: { from: "%{client_address}" } }
 *         - { when: 'req_method_in("GET")', queryRemove: [utm_source, utm_medium] }
 * ```
 *
 * All rules that match are applied in their order, each to what the one before
 * left; one with `last` ends it. `stripPrefix` and `pathReplace` match only
 * where the path has what they take away. Paths keep their escapes: what a
 * client wrote as `%2e` stays so. `path`, `query`, `querySet` and `host` may
 * hold the variables of `builtin:headers`; where `host` comes to what is none by
 * a client's text, the answer is 400.
 *
 * It is done once the cluster is known, or with `routing` before, so that the
 * product's rules judge what comes of it.
 *
 * `headrace_plugin_rewrite_rewrites_total` counts requests that were changed.
 *
 * @module
 */
import { z } from "zod";
import type { HttpRequest, Plugin } from "../core/plugin.ts";
import { compileOption } from "./compile_option.ts";
import { compileTargetEdit, TARGET_EDITS } from "./target_edit.ts";
import { compileTemplate } from "./template.ts";

const Options = z.strictObject({
  routing: z.boolean().default(false).describe(
    "Before the product's rules are looked at",
  ),
  rules: z.array(z.strictObject({
    when: z.string().optional().describe(
      "A condition of the rule language; left out: always",
    ),
    last: z.boolean().default(false).describe("Ends it where it matches"),
    host: z.string().min(1).optional().describe(
      "What Host says to the backend, with variables",
    ),
    ...TARGET_EDITS,
  })).min(1).describe("All that match are applied in their order"),
});

type RewriteOptions = z.output<typeof Options>;

export default {
  name: "rewrite",
  options: Options,
  setup(context) {
    const { options, metrics, condition, verdict } = context;
    const rewrites = metrics.counter("rewrites_total", "Requests changed");
    const rules = options.rules.map(({ when, last, host, ...edits }, i) => {
      const at = `rules[${i}]`;
      return {
        last,
        when: when === undefined
          ? undefined
          : compileOption(`${at}.when`, () => condition(when)),
        host: host === undefined ? undefined : compileOption(
          `${at}.host`,
          () => compileTemplate(host, "request", context),
        ),
        edit: compileTargetEdit(edits, context, at),
      };
    });
    const noHost = verdict.respond({ status: 400, body: "Not a host\n" });
    const rewrite = (request: HttpRequest) => {
      let changed = false;
      for (const { last, when, host, edit } of rules) {
        if (when?.(request) === false) continue;
        const target = edit(request);
        if (target === undefined) continue;
        const { path, query } = target;
        const whole = query === "" ? path : `${path}?${query}`;
        if (whole !== request.target) {
          request.target = whole;
          changed = true;
        }
        const name = host?.render(request) ?? "";
        if (name !== "") {
          if (!setHost(request, name)) return noHost;
          changed = true;
        }
        if (last) break;
      }
      if (changed) rewrites.add();
      return undefined;
    };
    return {
      handlers: options.routing
        ? { foundProduct: rewrite }
        : { afterLocation: rewrite },
    };
  },
} satisfies Plugin<RewriteOptions>;

/** Sets Host; false where that is none, which a client's text can make of it. */
function setHost({ headers }: HttpRequest, name: string): boolean {
  try {
    headers.set("host", name);
    return true;
  } catch (thrown) {
    if (thrown instanceof TypeError) return false;
    throw thrown;
  }
}
