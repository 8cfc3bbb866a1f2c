/**
 * Looking into the cache for a request: points 9 to 11, and waiting for what
 * another one fetches already.
 *
 * @module
 */
import { POINT } from "../callback_points.ts";
import type { Fetch, FetchResult } from "../cache/cache.ts";
import type { Elsewhere } from "../cache/elsewhere.ts";
import type { CacheStatus, ForwardReason } from "../cache/cache_status.ts";
import { NO_DIRECTIVES } from "../cache/directives.ts";
import type { OpenFill } from "../cache/fill.ts";
import { judge, type Judgement } from "../cache/freshness.ts";
import { parseRange, spanOf } from "../cache/ranges.ts";
import {
  NO_ENTRIES,
  type StoredEntry,
  type StoredHead,
} from "../cache/store.ts";
import { factsOf } from "../cache/stored_response.ts";
import { rangeStands } from "../cache/validators.ts";
import { selectEntry, varyingValue, varyMatches } from "../cache/vary.ts";
import type { Alternate, Lookup } from "../plugin.ts";
import { alternateOf, qualityOf } from "./alternates.ts";
import type { Caching } from "./caching.ts";
import { replyFrom, sourceOf, sourceOfFill } from "./cached_reply.ts";
import { fromParts, sendable } from "./made_responses.ts";
import { type Outcome, replyOf, replyWith } from "./reply.ts";
import { STATES } from "./states.ts";

/** What the points see; a handler may set its result within bounds. */
export class CacheLookup implements Lookup {
  #result: Lookup["result"];
  readonly #head: StoredHead | undefined;

  constructor(result: Lookup["result"], head: StoredHead | undefined) {
    this.#result = result;
    this.#head = head;
  }

  get result(): Lookup["result"] {
    return this.#result;
  }

  set result(result: Lookup["result"]) {
    if (result === this.#result) return;
    const hit = this.#result === "hit-fresh" || this.#result === "hit-stale";
    const known = result === "hit-fresh" || result === "hit-stale" ||
      result === "miss";
    if (!hit || !known) {
      throw new RangeError(
        `Cannot set the lookup's result from ${this.#result} to ${
          JSON.stringify(result)
        }: a hit can become a miss, fresh or stale`,
      );
    }
    this.#result = result;
  }

  get alternate(): Alternate | undefined {
    return this.#head === undefined ? undefined : alternateOf(this.#head);
  }
}

/** What was found for a request. */
interface Found {
  readonly entry: StoredEntry | undefined;
  readonly fill: OpenFill | undefined;
  readonly judgement: Judgement | undefined;
  /** By what others find the fetch that brings it. */
  readonly variant: string;
  readonly reason: ForwardReason;
  /** Stored beside what was found: parts, and what another fetch takes the place of. */
  readonly entries: readonly StoredEntry[];
}

/** Looks; an outcome where it is answered from here, undefined where a backend is to be asked. */
export function lookUp(
  caching: Caching,
): Outcome | undefined | Promise<Outcome | undefined> {
  const { transaction, cache, key } = caching;
  transaction.move(STATES.select);
  const entries = cache.store.find(key);
  if (
    entries instanceof Promise || transaction.fires(POINT.selectAlternate) ||
    transaction.fires(POINT.readCacheHeader) ||
    transaction.fires(POINT.cacheLookupComplete)
  ) return lookUpLater(caching, entries);
  const found = find(caching, entries);
  if (otherFetch(caching, found) !== undefined || ownerOf(caching, found)) {
    return lookUpLater(caching, entries);
  }
  if (headOf(found) !== undefined) transaction.move(STATES.stored);
  transaction.move(STATES.lookup);
  return act(caching, found, resultOf(found));
}

/** What is stored may change as often as this while a request looks; then it goes by what it found. */
const MAX_ROUNDS = 8;

/** The same with everything that takes its time. */
async function lookUpLater(
  caching: Caching,
  first: readonly StoredEntry[] | Promise<readonly StoredEntry[]>,
): Promise<Outcome | undefined> {
  const { transaction, cache, key } = caching;
  let entries = await first;
  for (let round = 0;; round++) {
    const found = find(caching, entries);
    const owner = ownerOf(caching, found);
    const asked = owner === undefined
      ? waitForOther(caching, found)
      : askOwner(caching, found, owner, round < MAX_ROUNDS);
    // Without a turn in between: nobody else is to begin the same fetch.
    const result = asked && await asked;
    if (result === undefined) return await complete(caching, found);
    caching.collapsed ||= result.kind === "fill" || result.kind === "entry" ||
      result.kind === "again" && result.stored === true;
    const known = await after(caching, found, result);
    // Deferred until now: handlers see only what came of it.
    if (known !== undefined) return await complete(caching, known);
    if (result.kind === "failed") {
      const answer = await complete(caching, missed(found), result);
      if (answer !== undefined) return answer;
      throw result.error;
    }
    transaction.move(STATES.select);
    entries = await cache.store.find(key);
  }
}

/** What another's fetch came to; undefined where there is none to wait for. */
function waitForOther(
  caching: Caching,
  found: Found,
): Promise<FetchResult> | undefined {
  const other = otherFetch(caching, found);
  if (other === undefined) return undefined;
  caching.transaction.exchange.watch();
  return caching.unlessGone(other.wait());
}

/** The worker to ask before a backend is; undefined where that is this one, or where nothing need be asked. */
function ownerOf(
  caching: Caching,
  { entry, fill, judgement }: Found,
): Elsewhere | undefined {
  const { cache, key, transaction } = caching;
  const hit = fill !== undefined ||
    (entry !== undefined && judgement !== "stale");
  if (hit || caching.fetch !== undefined) return undefined;
  // What comes of a HEAD is not stored, and nobody waits for it.
  return transaction.head!.method === "GET" ? cache.elsewhere(key) : undefined;
}

/** As `waitForOther`, for the fetches of all workers: undefined where this request is to fetch it. With `current` it looks again where what it found is not current any more. */
async function askOwner(
  caching: Caching,
  { entry, entries, variant }: Found,
  owner: Elsewhere,
  current: boolean,
): Promise<FetchResult | undefined> {
  const { key, rule, alone } = caching;
  const claim = await caching.claim(owner, {
    key,
    variant,
    joins: caching.joins,
    leads: !alone && caching.leads(entry !== undefined),
    minUses: rule.minUses,
    entries: current ? entries : NO_ENTRIES,
    seen: caching.unsuited,
  });
  switch (claim.kind) {
    case "again":
      return AGAIN;
    case "lead":
      caching.variant = variant;
      caching.stores = claim.stores;
      caching.fetch = claim.fetch;
      return undefined;
    case "wait":
      caching.transaction.exchange.watch();
      return await caching.unlessGone(claim.result);
  }
}

const AGAIN: FetchResult = Object.freeze({ kind: "again" });

/** What another's fetch came to means for this request; undefined where it has to look again. */
async function after(
  caching: Caching,
  found: Found,
  result: FetchResult,
): Promise<Found | undefined> {
  switch (result.kind) {
    case "fill": {
      const { fill } = result;
      if (!suits(caching, fill)) {
        caching.unsuited = fill.serial;
        return undefined;
      }
      if (fill.join !== undefined && !await caching.unlessGone(fill.join())) {
        return undefined;
      }
      return { ...missed(found), fill, judgement: "fresh" };
    }
    case "entry":
      return mayAnswer(caching, result.entry.head)
        ? { ...missed(found), entry: result.entry, judgement: "fresh" }
        : undefined;
    case "uncacheable":
      caching.alone = true;
      return missed(found);
    default:
      return undefined;
  }
}

function missed(found: Found): Found {
  return { ...found, fill: undefined, entry: undefined, judgement: undefined };
}

/** The stored response's head, or that of one on its way. */
function headOf({ entry, fill }: Found): StoredHead | undefined {
  return entry?.head ?? fill?.head;
}

/** As a handler wants it. */
function withResult(found: Found, result: Lookup["result"]): Found {
  if (result === resultOf(found)) return found;
  switch (result) {
    case "hit-fresh":
      return { ...found, judgement: "fresh" };
    case "hit-stale":
      return { ...found, fill: undefined, judgement: "stale" };
    default:
      return missed(found);
  }
}

/** Fires readCacheHeader on a hit. */
async function askOnHit(caching: Caching, found: Found): Promise<Found> {
  const { transaction } = caching;
  const head = headOf(found);
  if (head === undefined) return found;
  transaction.move(STATES.stored);
  if (!transaction.fires(POINT.readCacheHeader)) return found;
  const lookup = new CacheLookup(resultOf(found), head);
  await transaction.fire(POINT.readCacheHeader, transaction.request, lookup);
  return withResult(found, lookup.result);
}

/** Fires the points of what was found and does what comes of them; with `failed` only that. */
async function complete(
  caching: Caching,
  looked: Found,
  failed?: FetchResult,
): Promise<Outcome | undefined> {
  const { transaction } = caching;
  // Others wait from here on, also where handlers take their time.
  if (resultOf(looked) !== "hit-fresh" && failed === undefined) {
    await beginAnywhere(caching, looked);
  }
  const found = await askOnHit(caching, looked);
  transaction.move(STATES.lookup);
  const result = resultOf(found);
  const lookup = new CacheLookup(result, headOf(found));
  if (transaction.fires(POINT.cacheLookupComplete)) {
    const verdict = await transaction.fire(
      POINT.cacheLookupComplete,
      transaction.request,
      lookup,
    );
    if (verdict !== undefined) {
      caching.fetch?.giveUp("again");
      return replyOf(transaction, verdict);
    }
  }
  if (failed !== undefined) return undefined;
  const wanted = withResult(found, lookup.result);
  if (lookup.result !== "hit-fresh" && !caching.directives.onlyIfCached) {
    await beginAnywhere(caching, wanted);
  }
  return act(caching, wanted, lookup.result);
}

/** As `begin`, by the worker that owns the key. */
async function beginAnywhere(caching: Caching, found: Found): Promise<void> {
  const owner = ownerOf(caching, found);
  if (owner === undefined) return begin(caching, found);
  // It has waited already, or a handler called a miss what is none: it fetches for itself.
  caching.alone = true;
  await askOwner(caching, found, owner, false);
}

function resultOf({ entry, fill, judgement }: Found): Lookup["result"] {
  if (entry === undefined && fill === undefined) return "miss";
  return judgement === "stale" ? "hit-stale" : "hit-fresh";
}

/** What is stored or on its way for the request. */
function find(
  caching: Caching,
  entries: readonly StoredEntry[],
): Found {
  const { transaction, cache, key, scope, directives, now } = caching;
  const { headers } = transaction.request!;
  const variant = variantOf(caching, entries);
  const quality = transaction.fires(POINT.selectAlternate)
    ? (head: StoredHead) => qualityOf(transaction, transaction.request!, head)
    : undefined;
  const usable = entries.length === 0
    ? entries
    : entries.filter((entry) => mayServe(caching, entry));
  const entry = selectEntry(usable, scope, headers, quality);
  if (entry !== undefined) {
    const judgement = caching.refreshes
      ? "stale"
      : judge(entry.head, directives, now);
    const reason = judgement === "stale" &&
        judge(entry.head, NO_DIRECTIVES, now) !== "stale"
      ? "request"
      : "stale";
    return { entry, fill: undefined, judgement, variant, reason, entries };
  }
  const fill = cache.fillOf(key, (fill) => suits(caching, fill));
  const reason = entries.length === 0
    ? "uri-miss"
    : entries.some(({ head }) =>
        head.scope === scope && varyMatches(head, headers)
      )
    ? "partial"
    : "vary-miss";
  const judgement = fill === undefined ? undefined : "fresh";
  return { entry: undefined, fill, judgement, variant, reason, entries };
}

/** Whether an entry has the bytes that the request wants. */
function mayServe(
  { transaction, now }: Caching,
  { head, size }: StoredEntry,
): boolean {
  if (head.complete) return true;
  const { headers, method } = transaction.request!;
  // RFC 9110 §14.2: only for GET a range means anything.
  const value = method === "GET" ? headers.get("range") : null;
  const range = value === null ? undefined : parseRange(value);
  if (range === undefined || !rangeStands(head, headers, now)) return false;
  // Without the whole length only bytes that are named are known to be there.
  const { length } = head;
  if (length === undefined && range.last === undefined) return false;
  if (length === undefined && range.first === undefined) return false;
  const span = spanOf(range, length ?? Number.MAX_SAFE_INTEGER);
  return span !== undefined && span.start >= head.start &&
    span.end <= head.start + size;
}

/** Whether a response on its way may answer the request. */
function suits(caching: Caching, fill: OpenFill): boolean {
  const { head } = fill;
  return caching.joins && fill.open && head.complete &&
    mayAnswer(caching, head) &&
    judge(head, caching.directives, caching.now) === "fresh";
}

function mayAnswer({ scope, transaction }: Caching, head: StoredHead): boolean {
  return head.scope === scope &&
    varyMatches(head, transaction.request!.headers);
}

/** The fetch to wait for, where there is one. */
function otherFetch(
  caching: Caching,
  { entry, fill, judgement, variant }: Found,
): Fetch | undefined {
  if (!caching.joins || fill !== undefined) return undefined;
  if (entry !== undefined && judgement !== "stale") return undefined;
  return caching.cache.fetchOf(variant);
}

/** The key with what is known to tell its responses apart: only who may get the same waits for it. */
function variantOf(
  { key, scope, transaction }: Caching,
  entries: readonly StoredEntry[],
): string {
  const { headers } = transaction.request!;
  let variant = `${key}\n${scope}`;
  const names = entries.find(({ head }) => head.scope === scope);
  for (
    const name of names === undefined ? [] : factsOf(names.head).vary ?? []
  ) {
    variant += `\n${varyingValue(headers, name) ?? "\0"}`;
  }
  return variant;
}

/** Answers from the cache, or prepares what a backend is asked. */
function act(
  caching: Caching,
  found: Found,
  result: Lookup["result"],
): Outcome | undefined {
  const { transaction, now, collapsed, cache, directives } = caching;
  caching.count(result);
  const { entry, fill, judgement, variant } = found;
  const status: CacheStatus = collapsed
    ? { forward: found.reason, collapsed }
    : {};
  if (result === "hit-fresh") {
    // A handler called fresh what others wait for by now.
    caching.fetch?.giveUp("again");
    if (fill !== undefined) {
      const source = sourceOfFill(
        fill,
        (reader) => caching.reader = reader,
      );
      return replyFrom(transaction, source, { now, status, fresh: false });
    }
    cache.store.used(entry!);
    if (judgement === "refresh") caching.refresh(variant);
    const source = sourceOf(entry!, (reader) => caching.reader = reader);
    return replyFrom(transaction, source, { now, status, fresh: false });
  }
  if (directives.onlyIfCached) {
    caching.fetch?.giveUp("again");
    // RFC 9111 §5.2.1.7.
    const { method } = transaction.head!;
    return replyWith(fromParts(sendable({ status: 504 }), method, "proxy"));
  }
  begin(caching, found);
  caching.prepare(found);
  return undefined;
}

/** Tells others that this request fetches it, where they may wait for that. */
function begin(caching: Caching, { entry, variant }: Found): void {
  if (caching.fetch !== undefined) return;
  const { cache, key, rule, now } = caching;
  caching.variant = variant;
  const uses = rule.minUses > 1 ? cache.use(key) : Infinity;
  caching.stores = uses >= rule.minUses;
  const leads = caching.stores && !caching.alone &&
    caching.leads(entry !== undefined) && !cache.passes(variant, now);
  caching.fetch = cache.begin(key, leads ? variant : undefined);
}
