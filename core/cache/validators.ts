/**
 * Validators: asking a backend whether a stored response still holds, and
 * answering clients that ask the same (RFC 9110 §13, RFC 9111 §4.3).
 *
 * @module
 */
import type { HeaderFields } from "../plugin.ts";
import { parseHttpDate } from "./http_dates.ts";
import type { StoredHead } from "./store.ts";
import { factsOf, valuesOf } from "./stored_response.ts";

type Headers = Pick<HeaderFields, "get" | "has">;

/** An entity tag as it must be written (RFC 9110 §8.8.3). */
const ENTITY_TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g;
const ONE_ENTITY_TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;

/** What a backend is asked with. */
export interface Conditions {
  readonly etag: string | undefined;
  readonly modified: string | undefined;
}

/** What asks whether a stored response holds; undefined where it has no validator. */
export function conditionsOf(head: StoredHead): Conditions | undefined {
  const { etag, lastModified } = factsOf(head);
  const tag = etag !== undefined && ONE_ENTITY_TAG.test(etag)
    ? etag
    : undefined;
  const modified = lastModified === undefined
    ? undefined
    : valuesOf(head.fields, "last-modified")[0];
  return tag === undefined && modified === undefined
    ? undefined
    : { etag: tag, modified };
}

/** Fields of requests that only the cache or only the backend may answer by. */
export const CLIENT_CONDITIONS: readonly string[] = [
  "if-none-match",
  "if-modified-since",
];

/** Whether the client has what is stored: it is answered 304 (RFC 9110 §13.2.2). */
export function isNotModified(
  head: StoredHead,
  request: Headers,
  now: number,
): boolean {
  if (head.status !== 200 && head.status !== 206) return false;
  const tags = request.get("if-none-match");
  if (tags !== null) return matchesTags(tags, factsOf(head).etag);
  const since = request.get("if-modified-since");
  if (since === null) return false;
  const { lastModified, date } = factsOf(head);
  const time = parseHttpDate(since, now);
  // RFC 9111 §4.3.2: what has no Last-Modified is as old as its Date.
  return time !== undefined && (lastModified ?? date) <= time;
}

/** Weakly compared: what is behind `W/` counts. */
function matchesTags(list: string, etag: string | undefined): boolean {
  if (list.trim() === "*") return true;
  if (etag === undefined) return false;
  const wanted = opaque(etag);
  return (list.match(ENTITY_TAG) ?? []).some((tag) => opaque(tag) === wanted);
}

function opaque(tag: string): string {
  return tag.startsWith("W/") ? tag.slice(2) : tag;
}

/** Whether If-Range lets a Range stand: without it, and where it names exactly this response (RFC 9110 §13.1.5). */
export function rangeStands(
  head: StoredHead,
  request: Headers,
  now: number,
): boolean {
  const condition = request.get("if-range");
  if (condition === null) return true;
  if (condition.includes('"')) {
    return !condition.startsWith("W/") && condition === factsOf(head).etag;
  }
  const time = parseHttpDate(condition, now);
  return time !== undefined && strongDate(head) === time;
}

/** Last-Modified where it is a strong validator (RFC 9110 §8.8.2.2): the response came at least a second later. */
function strongDate(head: StoredHead): number | undefined {
  const { lastModified, date } = factsOf(head);
  return lastModified !== undefined && date - lastModified >= 1000
    ? lastModified
    : undefined;
}

/** The strong entity tag by which parts may be put together; undefined without one. */
export function strongTag(head: StoredHead): string | undefined {
  const { etag } = factsOf(head);
  return etag !== undefined && !etag.startsWith("W/") &&
      ONE_ENTITY_TAG.test(etag)
    ? etag
    : undefined;
}

/**
 * Whether a 304 says that it speaks of something else than what was asked about
 * (RFC 9111 §4.3.4). Weakly compared: a backend may name the tag of what it
 * codes only on the way, as nginx does.
 */
export function namesAnother(
  stored: StoredHead,
  newer: Pick<HeaderFields, "get">,
): boolean {
  const { etag } = factsOf(stored);
  const said = newer.get("etag");
  return said !== null && etag !== undefined && opaque(said) !== opaque(etag);
}

/** Whether a HEAD's 200 tells of another representation than the stored one (RFC 9111 §4.3.5). */
export function tellsOfAnother(
  stored: StoredHead,
  newer: Pick<HeaderFields, "get">,
): boolean {
  const length = newer.get("content-length");
  const modified = newer.get("last-modified");
  return differs(length, stored.length?.toString()) ||
    namesAnother(stored, newer) ||
    differs(modified, valuesOf(stored.fields, "last-modified")[0]);
}

function differs(said: string | null, known: string | undefined): boolean {
  return said !== null && known !== undefined && said !== known;
}
