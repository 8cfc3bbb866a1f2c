/**
 * From a stored response, or one on its way into the store, to what this client
 * gets of it: all of it, a part, 304 or 416.
 *
 * @module
 */
import { formatCacheStatus } from "../cache/cache_status.ts";
import type { CacheStatus } from "../cache/cache_status.ts";
import type { ClientReader, OpenFill } from "../cache/fill.ts";
import { ageOf } from "../cache/freshness.ts";
import {
  formatContentRange,
  parseRange,
  type Span,
  spanOf,
} from "../cache/ranges.ts";
import type { StoredEntry, StoredHead } from "../cache/store.ts";
import { factsOf } from "../cache/stored_response.ts";
import { isNotModified, rangeStands } from "../cache/validators.ts";
import type { BodyReader } from "../message/body.ts";
import { ListFields } from "../message/list_fields.ts";
import { reasonOf } from "./reason_phrases.ts";
import { fromParts } from "./made_responses.ts";
import { type Reply, replyWith } from "./reply.ts";
import { Response } from "./response.ts";
import type { Transaction } from "./transaction.ts";

/** Where a response comes from. */
export interface ReplySource {
  readonly head: StoredHead;
  /** Bytes of the whole representation; undefined where nobody knows yet. */
  readonly length: number | undefined;
  /** Its bytes from `start` to before `end`, counted from the representation's first. */
  open(start: number, end: number): BodyReader;
}

/** A stored response as a source; `reads` gets the reader that it gives, where that may have to wait long. */
export function sourceOf(
  entry: StoredEntry,
  reads?: (reader: ClientReader) => void,
): ReplySource {
  const { head } = entry;
  return {
    head,
    length: head.complete ? entry.size : head.length,
    open(start, end) {
      const reader = entry.open(start - head.start, end - head.start);
      if (reads !== undefined && "giveUp" in reader) {
        reads(reader as ClientReader);
      }
      return reader;
    },
  };
}

/** One on its way as a source; `reads` gets the reader that it gives. */
export function sourceOfFill(
  fill: OpenFill,
  reads: (reader: ClientReader) => void,
): ReplySource {
  const { head } = fill;
  return {
    head,
    length: head.complete ? fill.size : head.length,
    open(start, end) {
      const reader = fill.read(start - head.start, end - head.start);
      reads(reader);
      return reader;
    },
  };
}

/** How a reply is made. */
export interface ReplyOptions {
  readonly now: number;
  readonly status: CacheStatus;
  /** Whether it comes from a backend just now: its Age stays as it is. */
  readonly fresh: boolean;
  /** A part that its backend chose: it is passed on as it is. */
  readonly asItIs?: Span;
}

/** What this client gets. */
export function replyFrom(
  transaction: Transaction,
  source: ReplySource,
  options: ReplyOptions,
): Reply {
  const { head, length } = source;
  const { now, asItIs } = options;
  const { headers } = transaction.request!;
  if (asItIs !== undefined) {
    return partOf(transaction, source, options, asItIs);
  }
  if (isNotModified(head, headers, now)) {
    return notModified(transaction, head, options);
  }
  const range = wantedRange(transaction, head, now);
  if (range !== undefined && length !== undefined) {
    const span = spanOf(range, length);
    return span === undefined
      ? unsatisfiable(transaction, length, options)
      : partOf(transaction, source, options, span);
  }
  const response = new Response({
    status: head.status,
    reason: head.reason,
    fields: fieldsFor(head, options),
    from: options.fresh ? "backend" : "cache",
    bodyLength: length ?? -1,
    method: transaction.head!.method,
  });
  const body = response.hasBody && length !== 0
    ? source.open(0, length ?? Infinity)
    : null;
  return replyWith({ response, body });
}

/** The one range that a GET wants of what may be cut, where its condition lets it (RFC 9110 §14.2). */
function wantedRange(
  { head: requestHead, request }: Transaction,
  head: StoredHead,
  now: number,
): ReturnType<typeof parseRange> {
  const { method } = requestHead!;
  if (method !== "GET" || (head.status !== 200 && head.status !== 206)) {
    return undefined;
  }
  const range = request!.headers.get("range");
  return range !== null && rangeStands(head, request!.headers, now)
    ? parseRange(range)
    : undefined;
}

function partOf(
  transaction: Transaction,
  source: ReplySource,
  options: ReplyOptions,
  span: Span,
): Reply {
  const fields = fieldsFor(source.head, options);
  fields.put("content-range", formatContentRange(span, source.length));
  const response = new Response({
    status: 206,
    reason: reasonOf(206),
    fields,
    from: options.fresh ? "backend" : "cache",
    bodyLength: span.end - span.start,
    method: transaction.head!.method,
  });
  return replyWith({ response, body: source.open(span.start, span.end) });
}

/** Fields that tell of a body, which a 304 has none of (RFC 9110 §15.4.5). */
const OF_BODY = [
  "content-encoding",
  "content-language",
  "content-range",
  "content-type",
];

function notModified(
  transaction: Transaction,
  head: StoredHead,
  options: ReplyOptions,
): Reply {
  const fields = fieldsFor(head, options);
  fields.removeEach(OF_BODY);
  const response = new Response({
    status: 304,
    reason: reasonOf(304),
    fields,
    from: options.fresh ? "backend" : "cache",
    bodyLength: undefined,
    method: transaction.head!.method,
  });
  return replyWith({ response, body: null });
}

function unsatisfiable(
  transaction: Transaction,
  length: number,
  { status }: ReplyOptions,
): Reply {
  const headers = new ListFields([
    ["content-range", formatContentRange(undefined, length)],
    ["cache-status", formatCacheStatus(status)],
  ]);
  return replyWith(
    fromParts({ status: 416, headers }, transaction.head!.method, "proxy"),
  );
}

const templates = new WeakMap<StoredHead, ListFields>();

/** The stored lines as this client gets them: a copy of its own. */
function fieldsFor(head: StoredHead, options: ReplyOptions): ListFields {
  let template = templates.get(head);
  if (template === undefined) {
    template = new ListFields(head.fields);
    templates.set(head, template);
  }
  const fields = template.copy();
  const { now, status, fresh } = options;
  const age = ageOf(head, now);
  if (!fresh) fields.put("age", String(Math.floor(age / 1000)));
  const ttl = Math.floor((factsOf(head).lifetime - age) / 1000);
  fields.add("cache-status", formatCacheStatus({ ...status, ttl }));
  return fields;
}
