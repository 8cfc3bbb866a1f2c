/**
 * Turns clients away by their address.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - use: "builtin:block"
 *     options:
 *       at: accept
 *       block: { addresses: ["192.0.2.0/24", "2001:db8::/32"] }
 *       allow: { addresses: ["192.0.2.7"] }
 * ```
 *
 * Who is in `allow` comes in, of the others who is in `block` does not, and for
 * who is in neither `otherwise` decides: with `block` only those in `allow` come
 * in. Each list has `addresses` and CIDR ranges, `files` that are reread when
 * they change, and `urls` that are fetched again every `refresh`; files and URLs
 * hold one address or range a line, `#` and `;` begin comments. A list that is
 * broken or can't be had later on leaves the last good one in use; at the start
 * it refuses the config, for URLs unless `required` is false.
 *
 * `at: accept` closes the connection before a byte is read, by the peer's
 * address (that of a PROXY header where one is accepted). `at: request` answers
 * 403, or closes with `status: 0`, by the client's address through trusted
 * proxies, once the product is known: so it can be limited to `products`, and
 * by a condition (`when`).
 *
 * `headrace_plugin_block_blocked_total{at}` counts who was turned away,
 * `headrace_plugin_block_fetches_total{result}` fetches of lists.
 *
 * @module
 */
import { z } from "zod";
import type { Plugin, PluginContext } from "../core/plugin.ts";
import { AddressSet, parseAddressLines } from "./address_set.ts";
import { compileOption } from "./compile_option.ts";
import { duration } from "./duration.ts";
import { watchFile } from "./watched_file.ts";
import { watchUrl } from "./watched_url.ts";

const List = z.strictObject({
  addresses: z.array(
    z.string().superRefine((text, context) => {
      try {
        new AddressSet([text]);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        context.addIssue(error.message);
      }
    }),
  ).default([]).describe("Addresses and CIDR ranges"),
  files: z.array(z.string().min(1)).default([]).describe(
    "Files with one of them a line, relative to the working directory",
  ),
  urls: z.array(z.strictObject({
    url: z.url({ protocol: /^https?$/ }),
    refresh: duration("1s").prefault("10m").describe(
      "Time between two fetches",
    ),
    required: z.boolean().default(true).describe(
      "Whether the config is refused where the first fetch fails",
    ),
  })).default([]).describe("Where such lists are fetched"),
}).prefault({});

const Options = z.strictObject({
  at: z.enum(["accept", "request"]).default("accept").describe(
    "When a client is judged",
  ),
  block: List.describe("Who is turned away"),
  allow: List.describe("Who comes in whatever block says"),
  otherwise: z.enum(["allow", "block"]).default("allow").describe(
    "What becomes of those in neither list",
  ),
  when: z.string().optional().describe(
    "Only for requests of which this condition holds",
  ),
  status: z.union([z.literal(0), z.int().min(400).max(599)]).default(403)
    .describe("What a request is answered; 0 closes without an answer"),
}).superRefine(({ at, when }, context) => {
  if (at === "accept" && when !== undefined) {
    context.addIssue({
      code: "custom",
      path: ["when"],
      message: "Cannot ask a condition at accept: there is no request yet",
    });
  }
});

type BlockOptions = z.output<typeof Options>;
type ListOptions = BlockOptions["block"];

export default {
  name: "block",
  options: Options,
  async setup(context) {
    const { options, verdict, metrics, condition } = context;
    const { at, otherwise, when, status } = options;
    const blocked = metrics.counter("blocked_total", "Clients turned away", [
      "at",
    ]);
    const fetches = metrics.counter("fetches_total", "Fetches of lists", [
      "result",
    ]);
    const fetched = (result: string) => fetches.add(1, result);
    const [block, allow] = await Promise.all([
      makeList(options.block, context, fetched),
      makeList(options.allow, context, fetched),
    ]);
    const isBlocked = (address: string) =>
      !allow().has(address) &&
      (otherwise === "block" || block().has(address));
    if (at === "accept") {
      return {
        handlers: {
          accept(session) {
            if (session.internal || !isBlocked(session.remote.address)) return;
            blocked.add(1, at);
            return verdict.close;
          },
        },
      };
    }
    const applies = when === undefined
      ? undefined
      : compileOption("when", () => condition(when));
    const refusal = status === 0
      ? verdict.close
      : verdict.respond({ status, body: "Forbidden\n" });
    return {
      handlers: {
        foundProduct(request) {
          if (request.session.internal) return;
          if (applies?.(request) === false) return;
          if (!isBlocked(request.clientAddress)) return;
          blocked.add(1, at);
          return refusal;
        },
      },
    };
  },
} satisfies Plugin<BlockOptions>;

/** The set of all that a list holds now. */
async function makeList(
  { addresses, files, urls }: ListOptions,
  context: PluginContext<unknown>,
  onFetched: (result: string) => void,
): Promise<() => AddressSet> {
  let current: AddressSet | undefined;
  const onChange = () => {
    current = undefined;
  };
  const sources = await Promise.all([
    ...files.map((path) =>
      watchFile(context, { path, parse: parseAddressLines, onChange })
    ),
    ...urls.map(({ url, refresh, required }) =>
      watchUrl(context, {
        url,
        refresh,
        parse: parseAddressLines,
        onChange,
        onFetched,
        ...!required && { fallback: [] },
      })
    ),
  ]);
  return () =>
    current ??= new AddressSet(
      [addresses, ...sources.map(({ value }) => value)].flat(),
    );
}
