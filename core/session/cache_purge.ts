/**
 * PURGE, from those who may.
 *
 * @module
 */
import type { Purge } from "../cache/store.ts";
import type { CacheRuntime } from "./caching.ts";
import { fromParts, sendable } from "./made_responses.ts";
import { type Reply, replyWith } from "./reply.ts";
import type { Transaction } from "./transaction.ts";

/** Whether the request is a purge: where nobody may purge so, it is a method like any other. */
export function isPurge(
  { request }: Transaction,
  { purgeFrom }: CacheRuntime,
): boolean {
  return request!.method === "PURGE" && purgeFrom !== undefined;
}

/**
 * Purges what is meant: tags where Cache-Tag or Surrogate-Key names some, a
 * prefix where the path ends with `*`, else the URL. 404 where there was nothing.
 */
export async function purge(
  transaction: Transaction,
  { cache, purgeFrom }: CacheRuntime,
  key: string,
): Promise<Reply> {
  if (!purgeFrom!.has(transaction.clientAddress)) {
    return answer(transaction, 403, "Purges are not taken from here\n");
  }
  let purged = 0;
  for (const each of purgesOf(transaction, key)) {
    purged += await cache.invalidate(each);
  }
  return answer(transaction, purged === 0 ? 404 : 200, `${purged} purged\n`);
}

function purgesOf({ request }: Transaction, key: string): Purge[] {
  const tags = tagsIn([
    ...request!.headers.getAll("cache-tag"),
    ...request!.headers.getAll("surrogate-key"),
  ]);
  if (tags.length > 0) {
    return tags.map((tag): Purge => ({ kind: "tag", tag }));
  }
  const [url = key] = key.split("\t");
  return url.endsWith("*")
    ? [{ kind: "prefix", prefix: url.slice(0, -1) }]
    : [{ kind: "url", url }];
}

/** Tags as Cache-Tag (with commas) and Surrogate-Key (with spaces) list them. */
export function tagsIn(values: readonly string[]): string[] {
  const tags = values.flatMap((value) => value.split(/[\s,]+/));
  return [...new Set(tags)].filter((tag) => tag !== "");
}

function answer(
  { head }: Transaction,
  status: number,
  body: string,
): Reply {
  const headers = { "cache-control": "no-store" };
  return replyWith(
    fromParts(sendable({ status, headers, body }), head!.method, "proxy"),
  );
}
