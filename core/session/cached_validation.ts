/**
 * What a backend says of what is stored: that it holds, or which of it.
 *
 * @module
 */
import { formatCacheStatus } from "../cache/cache_status.ts";
import type { StoredEntry, StoredHead } from "../cache/store.ts";
import { factsOf } from "../cache/stored_response.ts";
import {
  namesAnother,
  strongTag,
  tellsOfAnother,
} from "../cache/validators.ts";
import { keptRequest } from "../cache/vary.ts";
import {
  addOwnLines,
  type BackendReply,
  drop,
  linesOf,
  mayStore,
  ownLinesOf,
  suitsOthers,
  updated,
} from "./cached_heads.ts";
import {
  replyFrom,
  type ReplyOptions,
  sourceOf,
  sourceOfFill,
} from "./cached_reply.ts";
import type { Caching } from "./caching.ts";
import type { Reply } from "./reply.ts";
import type { Response } from "./response.ts";

/** Whether a 304 tells of nothing that it was asked about (RFC 9111 §4.3.4). */
export function answersNothing(
  caching: Caching,
  { response }: BackendReply,
): boolean {
  const { purpose, entry } = caching;
  if (purpose === "choose") return sameTagged(caching, response).length === 0;
  return purpose === "revalidate" && namesAnother(entry!.head, response.fields);
}

/** What is stored with a response's strong entity tag, the youngest first. */
function sameTagged(
  { entries, scope }: Caching,
  { fields }: Response,
): readonly StoredEntry[] {
  const tag = fields.get("etag");
  return entries.filter(({ head }) =>
    tag !== null && head.scope === scope && head.complete &&
    head.status === 200 && strongTag(head) === tag
  );
}

/** The stored response still holds (RFC 9111 §4.3.4). */
export async function holds(
  caching: Caching,
  reply: BackendReply,
): Promise<Reply> {
  const { cache, transaction, fetch, reason } = caching;
  const now = transaction.session.env.clock.wall();
  const newer = linesOf(reply.response.fields, reply.attempt);
  const ownLines = ownLinesOf(reply.response.fields, reply.attempt);
  const head = updated(caching, caching.entry!.head, newer, now);
  drop(reply);
  // What it says now may be for this client alone.
  const stays = mayStore(caching, head, false);
  const entry = stays
    ? await cache.store.update(caching.entry!, head)
    : caching.entry!;
  if (stays) cache.store.used(entry);
  // Where it is gone meanwhile, this client still gets what was found to hold.
  const current = entry.head === head ? entry : withHead(entry, head);
  if (stays) fetch?.settle({ kind: "entry", entry: current });
  else fetch?.giveUp("uncacheable");
  const source = sourceOf(current, (reader) => caching.reader = reader);
  const own = replyFrom(transaction, source, {
    now,
    status: { forward: reason, forwardStatus: 304, stored: stays },
    fresh: false,
  });
  addOwnLines(own, ownLines);
  if (!stays && !suitsOthers(head)) await cache.store.remove(entry);
  return own;
}

/**
 * The backend would send what is stored for other requests: it is stored for
 * those like this one, too, and all that has its tag is fresh again.
 */
export async function chosen(
  caching: Caching,
  reply: BackendReply,
): Promise<Reply> {
  const { cache, transaction, reason, requestedAt } = caching;
  const { response, attempt } = reply;
  const now = transaction.session.env.clock.wall();
  const newer = linesOf(response.fields, attempt);
  const ownLines = ownLinesOf(response.fields, attempt);
  const same = sameTagged(caching, response);
  const heads = same.map(({ head }) => updated(caching, head, newer, now));
  // What is for this client alone says nothing of what others get.
  const [first] = mayStore(caching, heads[0]!, false)
    ? await Promise.all(
      same.map((entry, i) => cache.store.update(entry, heads[i]!)),
    )
    : [withHead(same[0]!, heads[0]!)];
  drop(reply);
  const { head: known, size } = first!;
  const vary = factsOf(known).vary ?? [];
  const head: StoredHead = {
    ...known,
    request: keptRequest(transaction.request!.headers, vary),
    requestedAt,
  };
  const made = mayStore(caching, head, false)
    ? cache.fill({
      fetch: caching.fetch!,
      head,
      size,
      body: size === 0 ? null : first!.open(0, size),
      replaced: [],
      ended: () => {},
    })
    : undefined;
  const options: ReplyOptions = {
    now,
    status: {
      forward: reason,
      forwardStatus: 304,
      stored: made !== undefined,
    },
    fresh: false,
  };
  if (made === undefined) {
    caching.fetch?.giveUp("again");
    const stored = sourceOf(
      withHead(first!, head),
      (reader) => caching.reader = reader,
    );
    const own = replyFrom(transaction, stored, options);
    addOwnLines(own, ownLines);
    return own;
  }
  const source = sourceOfFill(made, (reader) => caching.reader = reader);
  const own = replyFrom(transaction, source, options);
  addOwnLines(own, ownLines);
  const running = made.run();
  if (running !== undefined) transaction.session.plane.outlives(running);
  caching.fetch!.settle({ kind: "fill", fill: made });
  return own;
}

function withHead(entry: StoredEntry, head: StoredHead): StoredEntry {
  return {
    key: entry.key,
    head,
    size: entry.size,
    open: (start, end) => entry.open(start, end),
  };
}

/** What a HEAD tells of the stored response (RFC 9111 §4.3.5). */
export async function headAnswered(
  caching: Caching,
  reply: BackendReply,
): Promise<Reply> {
  const { cache, entry, transaction, reason } = caching;
  const { response } = reply;
  if (entry !== undefined && response.status === 200) {
    const now = transaction.session.env.clock.wall();
    const newer = linesOf(response.fields, reply.attempt);
    const head = updated(caching, entry.head, newer, now);
    const holds = entry.head.status === 200 && suitsOthers(head) &&
      !tellsOfAnother(entry.head, response.fields);
    if (!holds) await cache.store.remove(entry);
    else if (mayStore(caching, head, false)) {
      await cache.store.update(entry, head);
    }
  }
  caching.fetch?.giveUp("again");
  const status = formatCacheStatus({ forward: reason });
  response.fields.append("cache-status", status);
  return reply;
}
