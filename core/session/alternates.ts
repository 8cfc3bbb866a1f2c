/**
 * selectAlternate: the quality that handlers give a stored response.
 *
 * @module
 */
import { POINT } from "../callback_points.ts";
import { ListFields } from "../message/list_fields.ts";
import type { StoredHead } from "../cache/store.ts";
import type { Alternate, HttpRequest } from "../plugin.ts";
import { callForQuality } from "./call_handler.ts";
import type { Transaction } from "./transaction.ts";

/** A stored response as handlers see it. */
export function alternateOf(head: StoredHead): Alternate {
  return {
    request: { headers: new ListFields(head.request) },
    response: { status: head.status, headers: new ListFields(head.fields) },
  };
}

/**
 * What handlers say of it, each one's quality times the others'; 1 where they
 * say nothing. Throws a ProxyError where one fails and is not to be ignored.
 */
export function qualityOf(
  owner: Transaction,
  request: HttpRequest,
  head: StoredHead,
): number {
  const point = POINT.selectAlternate;
  owner.trace?.fires(point);
  const alternate = alternateOf(head);
  let quality = 1;
  for (
    const list of [
      owner.table[point],
      owner.sessionHandlers?.[point],
      owner.transactionHandlers?.[point],
    ]
  ) {
    for (const handler of list ?? []) {
      quality *= callForQuality(owner, handler, request, alternate);
      if (quality === 0) return 0;
    }
  }
  return quality;
}
