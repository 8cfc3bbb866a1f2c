/**
 * selectAlternate: the quality that handlers give a stored response.
 *
 * @module
 */
import { POINT } from "../callback_points.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import { ListFields } from "../message/list_fields.ts";
import type { StoredHead } from "../cache/store.ts";
import type { Alternate, HttpRequest } from "../plugin.ts";
import type { BoundHandler, HandlerOwner } from "./handlers.ts";
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
  owner.trace?.fires("selectAlternate");
  const point = POINT.selectAlternate;
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
      quality *= ask(owner, handler, request, alternate);
      if (quality === 0) return 0;
    }
  }
  return quality;
}

function ask(
  owner: HandlerOwner,
  handler: BoundHandler,
  request: HttpRequest,
  alternate: Alternate,
): number {
  handler.calls++;
  owner.handlerBegins(handler);
  try {
    const answer = handler.run(request, alternate);
    if (answer === undefined) return 1;
    if (typeof answer === "number" && answer >= 0 && answer <= 1) {
      return answer;
    }
    throw new TypeError(
      `Expected a quality from 0 to 1: current value is ${
        typeof answer === "number" ? answer : typeof answer
      }`,
    );
  } catch (thrown) {
    const error = asProxyError(thrown, "handler_error");
    handler.errors.add();
    const told = new ProxyError(
      error.code,
      `Plugin "${handler.plugin}" failed at ${handler.point}: ${error.message}`,
      { cause: error.cause ?? error },
    );
    owner.handlerFailed(handler, told);
    if (handler.onError === "ignore") return 1;
    throw told;
  } finally {
    owner.handlerEnds(handler);
  }
}
