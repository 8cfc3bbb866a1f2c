/**
 * Says by rule how long responses may be kept, and by whom: directives of
 * Cache-Control and CDN-Cache-Control.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - use: "builtin:cache-control"
 *     options:
 *       rules:
 *         - { when: 'req_path_prefix_in("/assets/", false)', set: { public: true, maxAge: 365d, immutable: true } }
 *         - { types: ["image/*"], existing: keep, set: { maxAge: 1d, staleWhileRevalidate: 1h } }
 *         - { types: ["text/*"], set: { noCache: true }, cdn: { set: { maxAge: 1m } } }
 *         - { statuses: ["404"], set: { maxAge: 10s } }
 * ```
 *
 * The first rule that matches is followed. Without `statuses` it is for those
 * that are no error: 200, 201, 203, 204, 206, 301, 302, 303, 304, 307, 308. A
 * 304 and a 206 go by what is said of 200, and a 304 by the stored response's
 * type; where nobody knows that, the rules from one with `types` on leave it
 * alone.
 *
 * `set` takes the place of directives of the same name and of what it rules out
 * (`public` of `private`, `noStore` of lifetimes); with maxAge, noStore or
 * noCache `Expires` and `Pragma` go. `remove` takes names of directives: a
 * backend's `no-store`, `no-cache` and `private` stay unless they are named
 * there. All else stays, unknown directives too. `existing: keep` leaves
 * responses alone that say something themselves (for Cache-Control, Expires
 * counts too), `existing: drop` forgets all that they say. `cdn` is the same for
 * CDN-Cache-Control, which caches of a content delivery network, and this
 * proxy's own, take instead of Cache-Control (RFC 9213).
 *
 * By default a backend's responses are changed before this proxy's cache sees
 * them, and those that handlers and the proxy make before clients do. With
 * `for: clients` the cache sees what the backend said, and only what clients get
 * is changed, out of the cache too: its Age is then added to lifetimes, so that
 * they hold from now on.
 *
 * `headrace_plugin_cache_control_responses_total{rule}` counts responses by the
 * rule's place, from 1.
 *
 * @module
 */
import { z } from "zod";
import type {
  HttpRequest,
  HttpResponse,
  Plugin,
  PluginContext,
} from "../core/plugin.ts";
import {
  Directives,
  editCacheControl,
  editCdnCacheControl,
  setsFreshness,
} from "./cache_directives.ts";
import { compileOption } from "./compile_option.ts";
import { mediaType, mediaTypes, typeMatcher } from "./content_type.ts";

const RANGE = /^([2-5]\d\d)(?:-([2-5]\d\d))?$/;

const remove = z.array(
  z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/).toLowerCase(),
).default([]).describe("Names of directives that go");

const Rule = z.strictObject({
  when: z.string().optional().describe(
    "A condition of the rule language; left out: always",
  ),
  statuses: z.array(
    z.string().regex(RANGE, "Expected a status, or a range 200-299"),
  ).min(1).optional().describe("Left out: those that are no error"),
  types: mediaTypes().min(1).optional().describe(
    "Media types; `text/*` stands for all of a kind",
  ),
  set: Directives.default({}).describe("Directives of Cache-Control"),
  remove,
  cdn: z.strictObject({ set: Directives.default({}), remove }).optional()
    .describe("The same for CDN-Cache-Control"),
  existing: z.enum(["override", "keep", "drop"]).default("override").describe(
    "What becomes of what a response says itself",
  ),
}).refine(
  ({ set, remove, cdn, existing }) =>
    Object.keys({ ...set, ...cdn?.set }).length > 0 || existing === "drop" ||
    remove.length + (cdn?.remove.length ?? 0) > 0,
  "Expected something to set or to remove",
);

const Options = z.strictObject({
  rules: z.array(Rule).min(1).describe("The first that matches is followed"),
  for: z.enum(["all", "clients"]).default("all").describe(
    "Who sees it: this proxy's cache and clients, or clients only",
  ),
});

type CacheControlOptions = z.output<typeof Options>;
type RuleOptions = z.output<typeof Rule>;

/** Statuses that are no error, as nginx's `expires` has them, and 203. */
const NO_ERROR = [200, 201, 203, 204, 206, 301, 302, 303, 304, 307, 308];

/** The type of the stored response that a transaction is about. */
const STORED_TYPE = Symbol("cache-control type");

interface CompiledRule {
  readonly options: RuleOptions;
  readonly status: (status: number) => boolean;
  readonly type: ((type: string) => boolean) | undefined;
  readonly when:
    | ((request: HttpRequest, response: HttpResponse) => boolean)
    | undefined;
}

export default {
  name: "cache-control",
  options: Options,
  setup(context) {
    const { options, metrics } = context;
    const changed = metrics.counter(
      "responses_total",
      "Responses whose directives a rule changed",
      ["rule"],
    );
    const rules = options.rules.map((rule, i) => compileRule(rule, i, context));
    const clients = options.for === "clients";
    const apply = (
      request: HttpRequest | undefined,
      response: HttpResponse,
    ) => {
      if (request === undefined) return;
      const found = ruleFor(rules, request, response);
      const rule = rules[found];
      if (rule === undefined) return;
      const age = clients ? ageOf(response) : 0;
      if (change(response, rule.options, age)) {
        changed.add(1, String(found + 1));
      }
    };
    // A 304 that the cache makes of what it has says nothing of its type.
    const remember = ({ transaction }: HttpRequest, type: string | null) => {
      if (typed) transaction.data.set(STORED_TYPE, type);
    };
    const typed = rules.some(({ type }) => type !== undefined);
    return {
      handlers: {
        ...typed && {
          readCacheHeader: (request, { alternate }) => {
            if (alternate === undefined) return;
            remember(request, alternate.response.headers.get("content-type"));
          },
        },
        readResponseHeader: (request, response) => {
          if (response.status < 200) return;
          if (!clients) apply(request, response);
          else if (response.status !== 304) {
            remember(request, response.headers.get("content-type"));
          }
        },
        readResponse: (request, response) => {
          const { from } = response;
          const done = from === "backend" || from === "cache";
          if (clients || !done) apply(request, response);
        },
      },
    };
  },
} satisfies Plugin<CacheControlOptions>;

function compileRule(
  options: RuleOptions,
  i: number,
  { responseCondition }: PluginContext<CacheControlOptions>,
): CompiledRule {
  const { when, statuses, types } = options;
  const ranges = statuses?.map((text) => {
    const [, from, to = from] = RANGE.exec(text)!;
    return { from: Number(from), to: Number(to) };
  }) ?? NO_ERROR.map((status) => ({ from: status, to: status }));
  const within = (status: number) =>
    ranges.some(({ from, to }) => status >= from && status <= to);
  return {
    options,
    // They tell of a 200: its parts, and that it still holds.
    status: (status) =>
      within(status) || (status === 206 || status === 304) && within(200),
    type: types && typeMatcher(types),
    when: when === undefined
      ? undefined
      : compileOption(`rules[${i}].when`, () => responseCondition(when)),
  };
}

/** The place of the rule to follow; -1 for none. */
function ruleFor(
  rules: readonly CompiledRule[],
  request: HttpRequest,
  response: HttpResponse,
): number {
  const { status, headers } = response;
  const field = headers.get("content-type") ??
    (status === 304
      ? request.transaction.data.get(STORED_TYPE) as string | null | undefined
      : null);
  const unknown = status === 304 && field === undefined;
  const type = mediaType(field ?? null);
  for (const [i, rule] of rules.entries()) {
    if (!rule.status(status)) continue;
    if (rule.when?.(request, response) === false) continue;
    if (rule.type !== undefined) {
      // Whether this rule or a later one was the 200's can't be told.
      if (unknown) return -1;
      if (!rule.type(type)) continue;
    }
    return i;
  }
  return -1;
}

/** Whether something of it changed. */
function change(
  { headers }: HttpResponse,
  { set, remove, cdn, existing }: RuleOptions,
  age: number,
): boolean {
  const drop = existing === "drop";
  const keep = existing === "keep";
  let changed = false;
  const put = (name: string, made: string | undefined) => {
    if (made === (headers.get(name) ?? undefined)) return;
    changed = true;
    if (made === undefined) headers.delete(name);
    else headers.set(name, made);
  };
  if (!(keep && (headers.has("cache-control") || headers.has("expires")))) {
    const own = headers.getAll("cache-control");
    put("cache-control", editCacheControl(own, { set, remove, drop, age }));
    if (drop || setsFreshness(set)) {
      put("expires", undefined);
      put("pragma", undefined);
    }
  }
  if (cdn !== undefined && !(keep && headers.has("cdn-cache-control"))) {
    const own = headers.getAll("cdn-cache-control");
    put(
      "cdn-cache-control",
      editCdnCacheControl(own, { ...cdn, drop, age }),
    );
  }
  return changed;
}

/** Seconds that the response says it is old. */
function ageOf({ headers }: HttpResponse): number {
  const age = headers.get("age") ?? "";
  return /^\d{1,10}$/.test(age) ? Number(age) : 0;
}
