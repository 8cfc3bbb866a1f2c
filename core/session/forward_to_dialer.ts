/**
 * From a cluster with a dialer to a session's handshake answered: no attempt is
 * made, points 12 to 15 don't fire.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type {
  ConnectionDeclinedError,
  SystemUnavailableError,
} from "../plugin.ts";
import { isDeclined, isUnavailable } from "../ws.ts";
import {
  dialerFailed,
  dialForeign,
  type ForeignBackend,
} from "./foreign_backend.ts";
import { entries, fromParts, sendable } from "./made_responses.ts";
import { reasonOf } from "./reason_phrases.ts";
import { type Reply, replyWith } from "./reply.ts";
import { Response } from "./response.ts";
import { STATES } from "./states.ts";
import type { Transaction } from "./transaction.ts";
import type { BoundDialer } from "./websocket_parts.ts";

/**
 * Has a dialer connect a new session, within so many milliseconds: a 101, or
 * what the declined client gets. Rejects with a ProxyError.
 */
export async function forwardToDialer(
  transaction: Transaction,
  dialer: BoundDialer,
  timeout: number,
): Promise<Reply> {
  transaction.move(STATES.forward);
  transaction.exchange.watch();
  let foreign: ForeignBackend;
  try {
    foreign = await dialForeign(transaction, {
      dialer,
      snapshot: transaction.snapshot,
      timeout,
      again: undefined,
      old: undefined,
      signal: transaction.signal,
    });
  } catch (thrown) {
    if (isUnavailable(thrown)) throw unavailable(dialer, thrown);
    if (!isDeclined(thrown)) throw thrown;
    return guarded(transaction, dialer, () => declined(transaction, thrown));
  }
  if (transaction.gone !== undefined) {
    foreign.close();
    throw transaction.gone;
  }
  transaction.connectedAt = transaction.responseHeadAt = transaction.elapsed();
  try {
    return guarded(transaction, dialer, () => connected(transaction, foreign));
  } catch (thrown) {
    foreign.close();
    throw thrown;
  }
}

/** What `make` makes of the dialer's words; where they can't be sent that is the dialer's failure. */
function guarded(
  transaction: Transaction,
  dialer: BoundDialer,
  make: () => Reply,
): Reply {
  try {
    return make();
  } catch (thrown) {
    throw dialerFailed(transaction, dialer, "dialUpstream", thrown);
  }
}

/** The client's 101. */
function connected(
  { websocket }: Transaction,
  foreign: ForeignBackend,
): Reply {
  const lines = entries(foreign.connection.additionalHeaders);
  const response = new Response({
    status: 101,
    reason: "Switching Protocols",
    fields: websocket!.answerDialled(lines),
    from: "backend",
    bodyLength: undefined,
    method: "GET",
  });
  return { ...replyWith({ response, body: null }), foreign };
}

/** What the client gets whom a backend declined: its fields and body, or a line of text. Throws where they can't be sent. */
function declined(
  { head }: Transaction,
  { code, response }: ConnectionDeclinedError,
): Reply {
  if (response instanceof globalThis.Response && response.bodyUsed) {
    throw new TypeError(
      "Cannot pass on a Response whose body was used already",
    );
  }
  const { headers, body } = response ?? {
    headers: undefined,
    body: `${reasonOf(code)}\n`,
  };
  const parts = sendable({
    status: code,
    ...(headers !== undefined && { headers }),
    ...(body !== undefined && body !== null && { body }),
  });
  return replyWith(fromParts(parts, head!.method, "backend"));
}

/** No backend of a dialer's can be had. */
export function unavailable(
  { name }: BoundDialer,
  thrown: SystemUnavailableError,
): ProxyError {
  return new ProxyError(
    thrown.code === undefined ? "connect_failed" : "upgrade_refused",
    `The dialer "${name}" has no backend now: ${thrown.message}`,
    { cause: thrown },
  );
}
