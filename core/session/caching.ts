/**
 * One transaction's dealings with the cache, from its lookup on.
 *
 * @module
 */
import type { Cache, Fetching } from "../cache/cache.ts";
import { type Directives, parseCacheControl } from "../cache/directives.ts";
import type { Claim, ClaimRequest, Elsewhere } from "../cache/elsewhere.ts";
import type { ClientReader } from "../cache/fill.ts";
import { parseRange } from "../cache/ranges.ts";
import { type CacheRule, ruleOf } from "../cache/rules.ts";
import { NO_ENTRIES, type StoredEntry } from "../cache/store.ts";
import {
  CLIENT_CONDITIONS,
  conditionsOf,
  strongTag,
} from "../cache/validators.ts";
import { alternateTags, varyMatches } from "../cache/vary.ts";
import type { ForwardReason } from "../cache/cache_status.ts";
import type { ProxyError } from "../errors.ts";
import { parseForwarded } from "../message/forwarded_field.ts";
import type { CidrSet } from "../net/cidr.ts";
import type { Lookup } from "../plugin.ts";
import { lookUp } from "./cached_lookup.ts";
import { isPurge, purge } from "./cache_purge.ts";
import type { Outcome } from "./reply.ts";
import type { Request } from "./request.ts";
import type { Transaction } from "./transaction.ts";

/** The cache as a snapshot has it. */
export interface CacheRuntime {
  readonly cache: Cache;
  readonly rules: readonly CacheRule[];
  /** Who may purge by PURGE; undefined = nobody. */
  readonly purgeFrom: CidrSet | undefined;
}

/** What the request to a backend is for. */
type Purpose =
  /** Passed on as it is; what comes may be stored. */
  | "fetch"
  /** Whether the stored response still holds. */
  | "revalidate"
  /** Whether what is stored for other requests is what this one gets, too. */
  | "choose"
  /** The bytes behind those that are stored. */
  | "complete"
  /** Something is to be changed: what is stored is invalid afterwards. */
  | "unsafe";

/** Conditions that only a backend may judge by (RFC 9111 §4.3.2). */
const BACKENDS_CONDITIONS = ["if-match", "if-unmodified-since"];

/** What changes nothing (RFC 9110 §9.2.1) and is not looked up: no business of the cache. */
const INDIFFERENT: ReadonlySet<string> = new Set(["OPTIONS", "TRACE"]);

/**
 * The lookup of a transaction: an outcome where it is answered from here. Sets
 * `transaction.caching` where what a backend answers matters to the cache.
 */
export function lookUpInCache(
  transaction: Transaction,
  runtime: CacheRuntime,
  skipped: () => Outcome | undefined | Promise<Outcome | undefined>,
): Outcome | undefined | Promise<Outcome | undefined> {
  const request = transaction.request!;
  const { method } = request;
  const looked = method === "GET" || method === "HEAD";
  if (transaction.head!.upgrade !== undefined || INDIFFERENT.has(method)) {
    return skip(transaction, skipped);
  }
  const rule = ruleOf(runtime.rules, request);
  if (isPurge(transaction, runtime)) {
    return purge(
      transaction,
      runtime,
      rule.key(request, askedHosts(transaction)),
    );
  }
  if (rule.bypass && looked) return skip(transaction, skipped);
  const caching = new Caching(transaction, runtime, rule);
  transaction.caching = caching;
  if (
    looked && transaction.exchange.body === null &&
    !BACKENDS_CONDITIONS.some((name) => request.headers.has(name))
  ) return lookUp(caching);
  if (looked) transaction.caching = undefined;
  return skip(transaction, skipped);
}

/**
 * The host that the client asked for, as backends are told: where trusted peers
 * or handlers say others beside it, all of them.
 */
function askedHosts({ head, request }: Transaction): string | undefined {
  const { headers } = request!;
  const { host } = head!;
  if (!headers.has("x-forwarded-host") && !headers.has("forwarded")) {
    return host;
  }
  const elements = parseForwarded(headers.get("forwarded") ?? "") ?? [];
  const said = [
    ...headers.getAll("x-forwarded-host"),
    ...elements.map((each) => each.get("host")),
  ].filter((each) => each !== undefined && each !== host);
  return said.length === 0 ? host : [host, ...said].join(", ");
}

function skip(
  transaction: Transaction,
  skipped: () => Outcome | undefined | Promise<Outcome | undefined>,
): Outcome | undefined | Promise<Outcome | undefined> {
  transaction.session.env.metrics.cacheLookups.series("skipped").add();
  return skipped();
}

/** One transaction's dealings with the cache. */
export class Caching {
  readonly transaction: Transaction;
  readonly runtime: CacheRuntime;
  readonly rule: CacheRule;
  readonly key: string;
  /** Only what its cluster answered suits a request. */
  readonly scope: string;
  /** What the request wants of caches. */
  readonly directives: Directives;
  /** When it looked, in milliseconds since the epoch. */
  readonly now: number;
  /** Whether it is made to fetch anew what is stored. */
  readonly refreshes: boolean;
  /** It was found by another's fetch. */
  collapsed = false;
  /** It fetches for itself: what it wants turned out not to be cacheable. */
  alone = false;
  /** Whether what comes may be stored, as far as that was to be known before. */
  stores = true;
  fetch: Fetching | undefined;
  /** The last response on its way that did not suit. */
  unsuited = 0;
  variant = "";
  purpose: Purpose = "unsafe";
  reason: ForwardReason = "method";
  /** What is revalidated or completed. */
  entry: StoredEntry | undefined;
  /** What was stored under the key. */
  entries: readonly StoredEntry[] = [];
  /** The request as backends get it, where that is not the client's own. */
  request: Request | undefined;
  /** What brings the body while it comes in, or from another worker. */
  reader: ClientReader | undefined;
  /** When the backend was asked. */
  requestedAt: number;
  #gone: PromiseWithResolvers<never> | undefined;
  /** Ends what it waits for in another worker. */
  #leave: (() => void) | undefined;
  #over = false;

  constructor(
    transaction: Transaction,
    runtime: CacheRuntime,
    rule: CacheRule,
  ) {
    const request = transaction.request!;
    this.transaction = transaction;
    this.runtime = runtime;
    this.rule = rule;
    this.key = rule.key(request, askedHosts(transaction));
    this.scope = transaction.cluster!;
    this.directives = requestDirectives(request);
    this.now = transaction.session.env.clock.wall();
    this.requestedAt = this.now;
    this.refreshes = transaction.session.initiator.refresh === true;
  }

  get cache(): Cache {
    return this.runtime.cache;
  }

  /** Whether it may wait for what another request fetches: a whole response that is new enough. */
  get joins(): boolean {
    const { request } = this.transaction;
    const { noCache, maxAge, minFresh, noStore } = this.directives;
    return request!.method === "GET" && !this.refreshes && !this.alone &&
      !noCache && !noStore && maxAge === undefined && minFresh === undefined &&
      !request!.headers.has("range");
  }

  /** Whether others may wait for what it fetches: the client's own conditions would bring something that is for it alone. */
  leads(revalidates: boolean): boolean {
    const { method, headers } = this.transaction.request!;
    return method === "GET" && !this.directives.noStore &&
      !headers.has("range") &&
      (revalidates || !CLIENT_CONDITIONS.some((name) => headers.has(name)));
  }

  /** Sets what the backend is asked. */
  prepare(
    found: {
      readonly entry: StoredEntry | undefined;
      readonly reason: ForwardReason;
      readonly entries: readonly StoredEntry[];
    },
  ): void {
    const { transaction } = this;
    const { method, headers } = transaction.request!;
    this.entries = found.entries;
    this.reason = found.reason;
    this.purpose = "fetch";
    if (method !== "GET") {
      // A HEAD is passed on; what it tells of a stored response is taken from it.
      this.entry = found.entry;
      return;
    }
    const conditions = found.entry && conditionsOf(found.entry.head);
    if (conditions !== undefined && found.entry!.head.complete) {
      this.purpose = "revalidate";
      this.entry = found.entry;
      this.#ask((fields) => {
        for (const name of CONDITIONAL) fields.remove(name);
        const { etag, modified } = conditions;
        if (etag !== undefined) fields.put("if-none-match", etag);
        if (modified !== undefined) fields.put("if-modified-since", modified);
      });
      return;
    }
    // Without a validator it can still stand in for a failure.
    this.entry = found.entry?.head.complete === true ? found.entry : undefined;
    const part = found.entry === undefined && !headers.has("range")
      ? this.#firstPart(found.entries)
      : undefined;
    if (part !== undefined) {
      this.purpose = "complete";
      this.entry = part;
      this.#ask((fields) => {
        for (const name of CONDITIONAL) fields.remove(name);
        fields.put("range", `bytes=${part.size}-`);
        fields.put("if-range", strongTag(part.head)!);
      });
      return;
    }
    const tags = found.reason === "vary-miss" &&
        !CONDITIONAL.some((name) => headers.has(name))
      ? alternateTags(found.entries, this.scope, headers)
      : [];
    if (tags.length > 0) {
      this.purpose = "choose";
      this.#ask((fields) => fields.put("if-none-match", tags.join(", ")));
    }
  }

  /** What the backend answered was no answer to what it was asked: it is asked for the response itself. */
  askPlainly(): void {
    this.purpose = "fetch";
    this.entry = undefined;
    this.#ask((fields) => {
      for (const name of CONDITIONAL) fields.remove(name);
    });
  }

  /** A stored beginning of the representation that may be completed. */
  #firstPart(entries: readonly StoredEntry[]): StoredEntry | undefined {
    const { headers } = this.transaction.request!;
    return entries.find(({ head, size }) =>
      !head.complete && head.start === 0 && head.scope === this.scope &&
      strongTag(head) !== undefined && varyMatches(head, headers) &&
      (head.length === undefined || size < head.length)
    );
  }

  #ask(change: (fields: Request["headers"]) => void): void {
    this.request = this.transaction.request!.copy();
    change(this.request.headers);
  }

  /** The range that the client asked the backend for. */
  get askedRange(): boolean {
    const value = this.transaction.request!.headers.get("range");
    return this.purpose === "fetch" && value !== null &&
      parseRange(value) !== undefined;
  }

  /** Counts the lookup. */
  count(result: Lookup["result"]): void {
    this.transaction.session.env.metrics.cacheLookups.series(result).add();
  }

  /** Has what was served stale fetched anew. */
  refresh(variant: string): void {
    const { transaction, cache } = this;
    const may = cache.beginRefresh(this.key, variant);
    if (may === false) return;
    let began = may === true;
    transaction.session.plane.refresh(
      transaction,
      () => {
        if (began) cache.endRefresh(this.key, variant);
      },
      may === true ? undefined : may.then((allowed) => began = allowed),
    );
  }

  /** Begins a fetch that nobody waits for; whether what it brings may be stored. */
  async begin(): Promise<boolean> {
    const { cache, key } = this;
    const owner = cache.elsewhere(key);
    if (owner === undefined) {
      this.fetch = cache.begin(key, undefined);
      return true;
    }
    const claim = await this.claim(owner, {
      key,
      variant: key,
      joins: false,
      leads: false,
      minUses: 1,
      entries: NO_ENTRIES,
      seen: 0,
    });
    if (claim.kind !== "lead") return false;
    this.fetch = claim.fetch;
    return claim.stores;
  }

  /** Asks the owner of the key what to do. Rejects where the client leaves. */
  async claim(owner: Elsewhere, request: ClaimRequest): Promise<Claim> {
    this.#leave?.();
    this.#leave = undefined;
    const asked = owner.claim(request).then((claim) => {
      const leave = claim.kind === "wait"
        ? () => claim.leave()
        : claim.kind === "lead"
        ? () => claim.fetch.giveUp("again")
        : undefined;
      if (this.#over) leave?.();
      else this.#leave = leave;
      return claim;
    });
    return await this.unlessGone(asked);
  }

  /** The promise, unless the client leaves before. */
  unlessGone<T>(promise: Promise<T>): Promise<T> {
    const { gone } = this.transaction;
    if (gone !== undefined) return Promise.reject(gone);
    this.#gone ??= Promise.withResolvers<never>();
    return Promise.race([promise, this.#gone.promise]);
  }

  /** The client is gone for good. */
  clientGone(reason: ProxyError): void {
    this.reader?.giveUp(reason);
    this.#gone?.reject(reason);
  }

  /** The transaction is over: whoever waits for what it did not fetch goes on. */
  over(): void {
    this.#over = true;
    this.fetch?.giveUp("again");
    // A handler may have put another response in its place.
    this.reader?.cancel();
    this.#leave?.();
  }
}

const CONDITIONAL = [...CLIENT_CONDITIONS, "range", "if-range"];

/** Pragma counts where Cache-Control says nothing (RFC 9111 §5.4). */
function requestDirectives({ headers }: Request): Directives {
  const values = headers.getAll("cache-control");
  if (values.length > 0 || !headers.has("pragma")) {
    return parseCacheControl(values);
  }
  return parseCacheControl(
    /(?:^|,)[ \t]*no-cache[ \t]*(?:,|$)/i.test(headers.get("pragma")!)
      ? ["no-cache"]
      : [],
  );
}
