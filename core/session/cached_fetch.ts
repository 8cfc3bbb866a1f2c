/**
 * What a backend's answer means for the cache: stored, found to hold, stood in
 * for, invalidating, or none of its business.
 *
 * @module
 */
import { sameOriginKey } from "../cache/cache_key.ts";
import { formatCacheStatus } from "../cache/cache_status.ts";
import type { CacheStatus } from "../cache/cache_status.ts";
import { mayStandIn } from "../cache/freshness.ts";
import { type ContentRange, parseContentRange } from "../cache/ranges.ts";
import type { StoredEntry, StoredHead } from "../cache/store.ts";
import { strongTag } from "../cache/validators.ts";
import { varyMatches } from "../cache/vary.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import {
  addOwnLines,
  type BackendReply,
  drop,
  headOf,
  linesOf,
  mayStore,
  ownLinesOf,
  suitsOthers,
} from "./cached_heads.ts";
import { replyFrom, sourceOf, sourceOfFill } from "./cached_reply.ts";
import {
  answersNothing,
  chosen,
  headAnswered,
  holds,
} from "./cached_validation.ts";
import type { Caching } from "./caching.ts";
import { reasonOf } from "./reason_phrases.ts";
import type { Outcome, Reply } from "./reply.ts";

/** Statuses that a stored response may stand in for (RFC 5861 §4). */
const FAILED: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/** Has backends asked, and the cache take what they answer. Rejects with a ProxyError. */
export async function fetchThrough(
  caching: Caching,
  ask: () => Promise<Outcome>,
): Promise<Outcome> {
  const { transaction, fetch } = caching;
  caching.requestedAt = transaction.session.env.clock.wall();
  let outcome: Outcome;
  try {
    outcome = await ask();
  } catch (thrown) {
    const error = asProxyError(thrown);
    const instead = transaction.gone === undefined && error.side === "backend"
      ? standIn(caching, undefined)
      : undefined;
    if (instead !== undefined) {
      transaction.fail(error);
      return instead;
    }
    tellOfFailure(caching, error);
    throw thrown;
  }
  if (outcome === "close" || outcome.attempt === undefined) {
    // A handler's answer is for this client.
    fetch?.giveUp("uncacheable");
    return outcome;
  }
  const reply = outcome as BackendReply;
  if (reply.response.status === 304 && answersNothing(caching, reply)) {
    drop(reply);
    caching.askPlainly();
    return await fetchThrough(caching, ask);
  }
  return await answered(caching, reply);
}

/** Those who wait share a backend's failure; they have waited for it already. */
function tellOfFailure({ fetch }: Caching, error: ProxyError): void {
  if (fetch === undefined) return;
  if (error.side === "backend") fetch.settle({ kind: "failed", error });
  else fetch.giveUp(error.side === "client" ? "again" : "uncacheable");
}

function answered(
  caching: Caching,
  reply: BackendReply,
): Reply | Promise<Reply> {
  const { method } = caching.transaction.request!;
  const { status } = reply.response;
  if (caching.purpose === "unsafe") return changed(caching, reply);
  if (method === "HEAD") return headAnswered(caching, reply);
  if (status === 304 && caching.purpose === "revalidate") {
    return holds(caching, reply);
  }
  if (status === 304 && caching.purpose === "choose") {
    return chosen(caching, reply);
  }
  if (FAILED.has(status)) {
    const instead = standIn(caching, status);
    if (instead !== undefined) {
      drop(reply);
      return instead;
    }
  }
  if (caching.purpose === "complete") return completed(caching, reply);
  return status === 206 ? storePart(caching, reply) : store(caching, reply);
}

// ------------------------------------------------------------------- storing

/** Stores a whole response where it may be, and gives the client its own copy. */
function store(
  caching: Caching,
  reply: BackendReply,
): Reply | Promise<Reply> {
  const head = headOf(caching, reply, { complete: true, start: 0 });
  const { bodyLength } = reply.response;
  const size = bodyLength === undefined || bodyLength < 0
    ? undefined
    : bodyLength;
  if (!mayStore(caching, head, false)) return passOn(caching, reply, head);
  return fill(caching, reply, { head, size }) ?? passOn(caching, reply, head);
}

/** The response as the backend sent it, which nobody else gets. */
function passOn(
  caching: Caching,
  reply: BackendReply,
  head: StoredHead,
): Reply {
  const { cache, fetch, transaction, reason, stores } = caching;
  const { status, fields } = reply.response;
  // Nobody has to wait for the next one, unless this says nothing of its kind.
  const led = fetch?.variant !== undefined && !fetch.doomed;
  if (stores && led && status < 500 && !suitsOthers(head)) {
    cache.pass(fetch, transaction.session.env.clock.wall());
  }
  fetch?.giveUp("uncacheable");
  fields.append("cache-status", formatCacheStatus({ forward: reason }));
  return reply;
}

/** What is stored beside a head. */
interface FillPlan {
  readonly head: StoredHead;
  readonly size: number | undefined;
  readonly before?: BodyReader;
  readonly after?: BodyReader;
  /** Parts that it puts together. */
  readonly parts?: readonly StoredEntry[];
  /** The client's own part of it. */
  readonly asItIs?: ContentRange;
}

/** Begins to store; undefined where the store won't have it. */
function fill(
  caching: Caching,
  reply: BackendReply,
  plan: FillPlan,
): Reply | undefined {
  const { transaction, cache, fetch, entries, scope, reason } = caching;
  const { attempt, response } = reply;
  const { head } = plan;
  const { headers } = transaction.request!;
  const { plane } = transaction.session;
  const replaced = plan.parts ??
    entries.filter((entry) =>
      entry.head.scope === scope && varyMatches(entry.head, headers)
    );
  const snapshot = transaction.snapshot.retain();
  const ownLines = ownLinesOf(response.fields, attempt);
  const made = cache.fill({
    fetch: fetch!,
    head,
    size: plan.size,
    body: reply.body,
    before: plan.before,
    after: plan.after,
    replaced,
    ended: (whole) => {
      if (whole) use.release();
      else use.close();
      snapshot.release();
    },
  });
  if (made === undefined) {
    plan.before?.cancel();
    plan.after?.cancel();
    snapshot.release();
    return undefined;
  }
  cache.cacheable(caching.variant);
  attempt.keepViews();
  const use = attempt.handOver();
  const source = sourceOfFill(made, (reader) => caching.reader = reader);
  const status: CacheStatus = {
    forward: reason,
    stored: true,
    ...caching.purpose === "fetch" ? {} : { forwardStatus: response.status },
  };
  const own = replyFrom(transaction, source, {
    now: head.receivedAt,
    status,
    fresh: true,
    ...plan.asItIs !== undefined && { asItIs: plan.asItIs },
  });
  addOwnLines(own, ownLines);
  const running = made.run();
  if (running !== undefined) plane.outlives(running);
  // Who waited finds it stored, or on its way.
  if (head.complete) fetch!.settle({ kind: "fill", fill: made });
  else fetch!.giveUp("again");
  return own;
}

// --------------------------------------------------------------------- parts

/** Stores the part that the client asked for, with parts around it that are stored already. */
function storePart(
  caching: Caching,
  reply: BackendReply,
): Reply | Promise<Reply> {
  const { response } = reply;
  const range = parseContentRange(linesOf(response.fields, reply.attempt));
  const complete = range !== undefined && range.start === 0 &&
    range.end === range.length;
  const head = headOf(caching, reply, {
    complete: false,
    start: range?.start ?? 0,
  });
  // A body of another length than the range says is no part of anything.
  const exact = range !== undefined &&
    response.bodyLength === range.end - range.start;
  if (
    !exact || complete || !caching.askedRange || !mayStore(caching, head, false)
  ) {
    return passOn(caching, reply, head);
  }
  const plan = joined(caching, { ...head, length: range.length }, range);
  return fill(caching, reply, { ...plan, asItIs: range }) ??
    passOn(caching, reply, head);
}

/** A part with a stored one beside it that has the same strong tag, where there is one (RFC 9111 §3.4). */
function joined(
  { entries, scope, transaction }: Caching,
  head: StoredHead,
  range: ContentRange,
): FillPlan {
  const { headers } = transaction.request!;
  const tag = strongTag(head);
  const other = tag === undefined
    ? undefined
    : entries.find((entry) =>
      !entry.head.complete && entry.head.scope === scope &&
      strongTag(entry.head) === tag && varyMatches(entry.head, headers) &&
      entry.head.start <= range.end && endOf(entry) >= range.start
    );
  const same = entries.filter((entry) =>
    !entry.head.complete && entry.head.start === head.start &&
    entry.head.scope === scope && varyMatches(entry.head, headers)
  );
  if (other === undefined) {
    return { head, size: range.end - range.start, parts: same };
  }
  const start = Math.min(other.head.start, range.start);
  const end = Math.max(endOf(other), range.end);
  const whole = start === 0 && end === range.length;
  const at = other.head.start;
  const before = start < range.start
    ? other.open(0, range.start - at)
    : undefined;
  const after = end > range.end
    ? other.open(range.end - at, other.size)
    : undefined;
  return {
    head: whole ? wholeHead(head) : { ...head, start },
    size: end - start,
    ...before !== undefined && { before },
    ...after !== undefined && { after },
    parts: [other, ...same],
  };
}

function endOf({ head, size }: StoredEntry): number {
  return head.start + size;
}

/** The head of a representation whose parts are all there. */
function wholeHead(head: StoredHead): StoredHead {
  return {
    ...head,
    status: 200,
    reason: reasonOf(200),
    fields: head.fields.filter(([name]) =>
      name.toLowerCase() !== "content-range"
    ),
    start: 0,
    complete: true,
  };
}

/** The rest of what is stored has come, or something else in its place. */
function completed(
  caching: Caching,
  reply: BackendReply,
): Reply | Promise<Reply> {
  const { response } = reply;
  const part = caching.entry!;
  if (response.status !== 206) {
    if (response.status !== 416) return store(caching, reply);
  } else {
    const head = headOf(caching, reply, { complete: false, start: part.size });
    const range = parseContentRange(head.fields);
    if (
      range !== undefined && range.start === part.size &&
      range.end === range.length &&
      response.bodyLength === range.end - range.start &&
      strongTag(head) === strongTag(part.head)
    ) {
      const plan: FillPlan = {
        head: wholeHead(head),
        size: range.end,
        before: part.open(0, part.size),
        parts: [part],
      };
      const own = fill(caching, reply, plan);
      if (own !== undefined) return own;
    }
  }
  // The client wants all of it, and this is no way to it: the next one begins anew.
  drop(reply);
  caching.fetch?.giveUp("again");
  const error = new ProxyError(
    "bad_response",
    "The backend sent another part than was asked for",
  );
  const removed = caching.cache.store.remove(part);
  if (!(removed instanceof Promise)) throw error;
  return removed.then(() => {
    throw error;
  });
}

// ------------------------------------------------------------- what is stored

/** The stored response in place of a failure, where both sides allow it. */
function standIn(
  caching: Caching,
  status: number | undefined,
): Reply | undefined {
  const { entry, transaction, directives, fetch, reason, purpose } = caching;
  if (entry === undefined || purpose === "unsafe" || purpose === "complete") {
    return undefined;
  }
  const now = transaction.session.env.clock.wall();
  const disconnected = status === undefined;
  if (!mayStandIn(entry.head, directives, now, disconnected)) return undefined;
  fetch?.settle({ kind: "entry", entry });
  const source = sourceOf(entry, (reader) => caching.reader = reader);
  return replyFrom(transaction, source, {
    now,
    status: {
      forward: reason,
      ...status !== undefined && { forwardStatus: status },
      detail: "stale-if-error",
    },
    fresh: false,
  });
}

/** Something was changed: what is stored of it is invalid (RFC 9111 §4.4). */
async function changed(caching: Caching, reply: BackendReply): Promise<Reply> {
  const { transaction, key } = caching;
  const { response, attempt } = reply;
  const request = transaction.request!;
  if (response.status >= 400) return reply;
  const [own = key] = key.split("\t");
  const urls = new Set([own]);
  for (const name of ["location", "content-location"]) {
    const said = response.fields.get(name);
    const url = said === null ? undefined : sameOriginKey(request, said);
    if (url !== undefined) urls.add(url);
  }
  for (const url of urls) await forget(caching, url);
  if (request.method !== "POST") return reply;
  const location = response.fields.get("content-location");
  const represents = location !== null &&
    sameOriginKey(request, location) === own;
  if (!represents || attempt.connection!.upload === null) return reply;
  const head = headOf(caching, reply, { complete: true, start: 0 });
  if (!mayStore(caching, head, true)) return reply;
  // All of the request is out before somebody else ends the connection's use.
  await attempt.connection!.upload;
  const { bodyLength } = response;
  if (!await caching.begin()) return reply;
  return fill(caching, reply, {
    head,
    size: bodyLength === undefined || bodyLength < 0 ? undefined : bodyLength,
  }) ?? reply;
}

/** The backend has changed it: its client hears of that, whatever the cache comes to. */
async function forget(
  { cache, transaction }: Caching,
  url: string,
): Promise<void> {
  try {
    await cache.invalidate({ kind: "url", url });
  } catch (error) {
    const { log } = transaction.session.env;
    log.error("The cache could not forget what was changed", { url, error });
  }
}
