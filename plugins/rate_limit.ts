/**
 * Limits how often, and how many at once, requests of a kind come.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - use: "builtin:rate-limit"
 *     options:
 *       rules:
 *         - { name: client, rate: { requests: 10, per: 1s, burst: 20 }, concurrent: 50 }
 *         - name: login
 *           when: 'req_path_in("/login", false)'
 *           key: "%{client_network} %{path}"
 *           rate: { requests: 5, per: 1m }
 * ```
 *
 * Each rule counts by a `key`, a text with the variables of `builtin:headers`:
 * the client's network unless it says otherwise (of IPv6 the first 64 bits, as
 * whoever has one address has all of these), `%{header:x-api-key}`,
 * `%{cookie:session}`, `%{path}`, `%{tag:jwt.sub}` (of `builtin:auth-jwt` with
 * `claimTags`, which must come before). An empty key counts by the network. A
 * request has to get by all rules whose condition holds; they are asked in their
 * order, and the first that refuses ends it.
 *
 * `rate` is a token bucket: `burst` requests at once, and then one as often as
 * `requests` in `per` says. `concurrent` requests may be under way at once. Both
 * hold for all workers together. Who is over gets 429 with Retry-After. With
 * `fields`, responses tell `RateLimit` and `RateLimit-Policy` of the rule that
 * leaves least, as draft-ietf-httpapi-ratelimit-headers has them.
 *
 * A rule remembers `entries` keys at most, at 25 bytes each. Where an attacker
 * floods it with random keys, those go first that would have been forgotten
 * first: buckets that are nearly full, not those of who is over. Keys that a
 * client can choose are no limit for it: have a rule by network too. What was
 * under way in a worker that is lost counts for up to an hour.
 *
 * `headrace_plugin_rate_limit_requests_total{rule,result}` counts `allowed`,
 * `limited` by rate and `busy` by `concurrent`.
 *
 * @module
 */
import { z } from "zod";
import type {
  HttpRequest,
  HttpResponse,
  Plugin,
  PluginContext,
  SharedMap,
} from "../core/plugin.ts";
import { networkOf } from "./address_set.ts";
import { compileOption } from "./compile_option.ts";
import { duration } from "./duration.ts";
import { compileTemplate, templateProblem } from "./template.ts";

const Rule = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/).describe(
    "Its name in metrics and fields",
  ),
  when: z.string().optional().describe(
    "Which requests it is for; left out: all",
  ),
  key: z.string().min(1).superRefine((text, context) => {
    const message = templateProblem(text, "request");
    if (message !== undefined) context.addIssue(message);
  }).default("%{client_network}").describe(
    "What is counted together, with variables",
  ),
  rate: z.strictObject({
    requests: z.int().min(1).max(1_000_000),
    per: duration().prefault("1s"),
    burst: z.int().min(1).max(1_000_000).optional().describe(
      "Requests at once; left out: as many as requests",
    ),
  }).optional().describe("How often requests may come"),
  concurrent: z.int().min(1).max(1_000_000).optional().describe(
    "How many may be under way at once",
  ),
  entries: z.int().min(1_000).max(1_048_576).default(65_536).describe(
    "Keys that are remembered",
  ),
}).refine(
  ({ rate, concurrent }) => rate !== undefined || concurrent !== undefined,
  "Expected rate or concurrent",
);

const Options = z.strictObject({
  rules: z.array(Rule).min(1).refine(
    (rules) => new Set(rules.map(({ name }) => name)).size === rules.length,
    "Expected rules of different names",
  ),
  fields: z.boolean().default(true).describe(
    "Whether responses tell RateLimit and RateLimit-Policy",
  ),
});

type RateLimitOptions = z.output<typeof Options>;
type RuleOptions = RateLimitOptions["rules"][number];

/** What is left of a rule's rate for a key. */
interface Left {
  readonly rule: Limit;
  readonly requests: number;
  /** Milliseconds until the bucket is full again. */
  readonly reset: number;
}

/** Why a request is refused. */
interface Refusal {
  readonly result: "limited" | "busy";
  /** Milliseconds until another try may do. */
  readonly wait: number;
}

/** Where a transaction's data has what its response tells. */
const LEFT = Symbol("rate-limit");

export default {
  name: "rate-limit",
  options: Options,
  async setup(context) {
    const { options, verdict, metrics } = context;
    const requests = metrics.counter("requests_total", "Requests by result", [
      "rule",
      "result",
    ]);
    const limits = await Promise.all(
      options.rules.map((rule, i) => makeLimit(rule, context, i)),
    );
    const tellsRate = options.fields &&
      limits.some(({ policy }) => policy !== undefined);
    return {
      handlers: {
        foundProduct(request) {
          if (request.session.internal) return undefined;
          let least: Left | undefined;
          for (const limit of limits) {
            if (!limit.applies(request)) continue;
            const outcome = limit.take(request);
            if (outcome !== undefined && "result" in outcome) {
              const { result, wait } = outcome;
              requests.add(1, limit.name, result);
              if (tellsRate && result === "limited") {
                note(request, { rule: limit, requests: 0, reset: wait });
              }
              return verdict.respond({
                status: 429,
                headers: {
                  "retry-after": String(seconds(wait)),
                  "cache-control": "no-store",
                },
                body: "Too many requests\n",
              });
            }
            requests.add(1, limit.name, "allowed");
            if (
              outcome !== undefined &&
              (least === undefined || outcome.requests < least.requests)
            ) {
              least = outcome;
            }
          }
          if (tellsRate && least !== undefined) note(request, least);
          return undefined;
        },
        ...tellsRate && {
          sendResponseHeader(
            request: HttpRequest | undefined,
            { headers }: HttpResponse,
          ) {
            const left = request?.transaction.data.get(LEFT) as
              | Left
              | undefined;
            if (left === undefined) return;
            const { rule: { name, policy = "" }, requests, reset } = left;
            headers.set("ratelimit-policy", policy);
            headers.set(
              "ratelimit",
              `"${name}";r=${requests};t=${seconds(reset)}`,
            );
          },
        },
      },
    };
  },
} satisfies Plugin<RateLimitOptions>;

function note(request: HttpRequest, left: Left): void {
  request.transaction.data.set(LEFT, left);
}

/** Whole seconds, at least one where there is anything. */
function seconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1_000);
}

/** A rule at work. */
interface Limit {
  readonly name: string;
  /** As RateLimit-Policy tells it; undefined without a rate. */
  readonly policy: string | undefined;
  applies(request: HttpRequest): boolean;
  /** What is left, undefined where nothing can be told, or why it is refused. */
  take(request: HttpRequest): Left | Refusal | undefined;
}

async function makeLimit(
  rule: RuleOptions,
  context: PluginContext<unknown>,
  index: number,
): Promise<Limit> {
  const { name, when, entries, rate, concurrent } = rule;
  const { shared, clock, condition } = context;
  const applies = when === undefined
    ? undefined
    : compileOption(`rules[${index}].when`, () => condition(when));
  const template = compileTemplate(rule.key, "request", context);
  const bucket = rate && makeBucket(
    rate,
    await shared.map(`rate.${name}`, { entries }),
    () => clock.wall(),
  );
  const slots = concurrent === undefined ? undefined : new Slots(
    await shared.map(`concurrent.${name}`, { entries }),
    concurrent,
    context,
  );
  const limit: Limit = {
    name,
    policy: rate && policyOf(name, rate),
    applies: (request) => applies?.(request) ?? true,
    take(request) {
      const key = template.render(request) || networkOf(request.clientAddress);
      // A request that is refused for its number takes no token.
      if (slots?.take(key) === false) return { result: "busy", wait: 1_000 };
      const taken = bucket?.(key);
      if (taken !== undefined && "wait" in taken) {
        slots?.give(key);
        return { result: "limited", wait: taken.wait };
      }
      if (slots !== undefined) {
        request.transaction.on("transactionClose", () => {
          slots.give(key);
          return undefined;
        });
      }
      return taken && { rule: limit, ...taken };
    },
  };
  return limit;
}

/** The bucket's depth as the quota, and the time in which it is filled as the window. */
function policyOf(
  name: string,
  { requests, per, burst = requests }: NonNullable<RuleOptions["rate"]>,
): string {
  return `"${name}";q=${burst};w=${seconds(burst * per / requests)}`;
}

/** So often a step is tried anew that another worker was faster with: it means that the key is hot. */
const TRIES = 100;

/**
 * A token bucket as the time at which it is full again (GCRA): takes a token,
 * and tells what is left or how long to wait.
 */
function makeBucket(
  { requests, per, burst = requests }: NonNullable<RuleOptions["rate"]>,
  buckets: SharedMap,
  now: () => number,
): (
  key: string,
) => { requests: number; reset: number } | { wait: number } {
  const interval = per / requests;
  const depth = burst * interval;
  return (key) => {
    const time = now();
    let full = buckets.get(key);
    for (let i = 0; i < TRIES; i++) {
      const empty = time + depth;
      const next = Math.max(Math.min(full ?? 0, empty), time) + interval;
      const over = next - empty;
      // A fraction of a microsecond is none.
      if (over > 0.001) {
        // One that is emptier than empty is of a rate that was changed since, or
        // of a clock that was put back: it is filled from now on.
        if (full !== undefined && full > empty) {
          buckets.compareExchange(key, full, empty, depth);
        }
        return { wait: over };
      }
      const was = buckets.compareExchange(key, full, next, next - time);
      if (was === full) {
        const left = Math.floor((depth - (next - time)) / interval + 0.001);
        return { requests: Math.max(0, left), reset: next - time };
      }
      full = was;
    }
    return { wait: interval };
  };
}

/** What is under way in a worker that is lost is forgotten after so many milliseconds without a change. */
const FORGET = 3_600_000;

/** Counts of what is under way, by key. */
class Slots {
  readonly #counts: SharedMap;
  readonly #most: number;
  /** What is under way in this worker. */
  readonly #own = new Map<string, number>();

  constructor(
    counts: SharedMap,
    most: number,
    { clock, signal }: Pick<PluginContext<unknown>, "clock" | "signal">,
  ) {
    this.#counts = counts;
    this.#most = most;
    let cancel = () => {};
    const again = () => {
      cancel = clock.after(FORGET / 2, () => {
        this.#remind();
        again();
      });
    };
    again();
    signal.addEventListener("abort", () => cancel(), { once: true });
  }

  /** Has nobody forget what goes on for long, as WebSocket sessions do. */
  #remind(): void {
    for (const key of this.#own.keys()) {
      let count = this.#counts.get(key);
      while (count !== undefined) {
        const was = this.#counts.compareExchange(key, count, count, FORGET);
        if (was === count) break;
        count = was;
      }
    }
  }

  /** False where there is none left. */
  take(key: string): boolean {
    let count = this.#counts.get(key);
    for (let i = 0; i < TRIES; i++) {
      const next = (count ?? 0) + 1;
      if (next > this.#most) return false;
      const was = this.#counts.compareExchange(key, count, next, FORGET);
      if (was === count) {
        this.#own.set(key, (this.#own.get(key) ?? 0) + 1);
        return true;
      }
      count = was;
    }
    return false;
  }

  give(key: string): void {
    const own = this.#own.get(key)! - 1;
    if (own > 0) this.#own.set(key, own);
    else this.#own.delete(key);
    let count = this.#counts.get(key);
    // One that made room for others counts for nothing any more. Here another
    // worker's step must not be the last word: a slot that is not given back stays taken.
    while (count !== undefined && count > 0) {
      const was = count === 1
        ? this.#counts.compareExchange(key, count, 0, 1_000)
        : this.#counts.compareExchange(key, count, count - 1, FORGET);
      if (was === count) return;
      count = was;
    }
  }
}
