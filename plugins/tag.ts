/**
 * Sets tags by condition, for the product's rules and other plugins to go by.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules:
 *       - { when: 'req_tag_match("client", "mobile")', respond: { status: 200, body: "small\n" } }
 *       - { respond: { status: 200, body: "large\n" } }
 * plugins:
 *   - use: "builtin:tag"
 *     options:
 *       rules:
 *         - { when: 'req_header_value_contain("User-Agent", "Mobile", true)', tags: { client: mobile }, last: true }
 *         - { tags: { client: desktop, via: ["%{listener}", "%{scheme}"] } }
 * ```
 *
 * All rules that match are applied in their order, one with `last` ends it.
 * Values are added to those that a tag has already; `replace` drops these first.
 * They may hold the variables of `builtin:headers`; one that turns out empty is
 * not set. Conditions read tags with `req_tag_match(NAME, VALUE)`. They are set
 * before the product's rules are looked at.
 *
 * `headrace_plugin_tag_tags_total{tag}` counts requests that got a tag.
 *
 * @module
 */
import { z } from "zod";
import type { Plugin } from "../core/plugin.ts";
import { compileOption } from "./compile_option.ts";
import { compileTemplate } from "./template.ts";

const Options = z.strictObject({
  rules: z.array(z.strictObject({
    when: z.string().optional().describe(
      "A condition of the rule language; left out: always",
    ),
    tags: z.record(
      z.string().min(1),
      z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
    ).describe("Values by the tag's name, with variables"),
    replace: z.boolean().default(false).describe(
      "In place of the values that the tags have",
    ),
    last: z.boolean().default(false).describe("Ends it where it matches"),
  })).min(1).describe("All that match are applied in their order"),
});

type TagOptions = z.output<typeof Options>;

export default {
  name: "tag",
  options: Options,
  setup(context) {
    const { options, metrics, condition } = context;
    const tagged = metrics.counter("tags_total", "Requests that got a tag", [
      "tag",
    ]);
    const rules = options.rules.map(({ when, tags, replace, last }, i) => ({
      replace,
      last,
      when: when === undefined
        ? undefined
        : compileOption(`rules[${i}].when`, () => condition(when)),
      tags: Object.entries(tags).map(([name, values]) => ({
        name,
        values: [values].flat().map((value) =>
          compileOption(
            `rules[${i}].tags.${name}`,
            () => compileTemplate(value, "request", context),
          )
        ),
      })),
    }));
    return {
      handlers: {
        foundProduct(request) {
          for (const { when, tags, replace, last } of rules) {
            if (when?.(request) === false) continue;
            for (const { name, values } of tags) {
              const made = values.map((value) => value.render(request))
                .filter((value) => value !== "");
              if (made.length === 0) continue;
              const before = replace ? [] : request.tags.get(name) ?? [];
              request.tags.set(name, [...new Set([...before, ...made])]);
              tagged.add(1, name);
            }
            if (last) break;
          }
          return undefined;
        },
      },
    };
  },
} satisfies Plugin<TagOptions>;
