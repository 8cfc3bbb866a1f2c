/**
 * From a reply to the client's last byte: points 16 and 17, the body, the
 * tunnel after a 101.
 *
 * @module
 */
import { asProxyError, ProxyError } from "../errors.ts";
import { relay } from "../net/relay.ts";
import { stopUpload } from "./forward.ts";
import type { Reply, Transaction } from "./transaction.ts";

/** Sends a reply. Rejects with a ProxyError where it could not be sent whole. */
export async function deliver(
  transaction: Transaction,
  first: Reply,
): Promise<void> {
  const { exchange } = transaction;
  const reply = transaction.fires("readResponse") ||
      transaction.fires("sendResponseHeader")
    ? await askHandlers(transaction, first)
    : unasked(transaction, first);
  if (reply === "close") {
    exchange.abort(new ProxyError("client_closed", "A handler closed it"));
    return;
  }
  const { response, body, attempt } = reply;
  transaction.status = response.status;
  if (response.status === 101 && attempt !== undefined) {
    await tunnel(transaction, reply);
    return;
  }
  try {
    const close = reply.close || transaction.session.closing;
    await exchange.send(response, body, { close });
  } catch (thrown) {
    body?.cancel();
    attempt?.connection?.close();
    throw transaction.gone ?? thrown;
  } finally {
    if (attempt !== undefined) {
      attempt.connection?.release();
      await stopUpload(transaction, attempt);
    }
  }
}

/** The reply as it is, where nobody handles the points on its way. */
function unasked(transaction: Transaction, reply: Reply): Reply {
  transaction.response = reply.response;
  if (transaction.request !== undefined) transaction.move("respond");
  transaction.move("deliver");
  return reply;
}

/**
 * Runs readResponse and sendResponseHeader. What a handler answers at
 * readResponse replaces the reply, and readResponse does not run again.
 */
async function askHandlers(
  transaction: Transaction,
  first: Reply,
): Promise<Reply | "close"> {
  let reply: Reply = first;
  transaction.response = reply.response;
  if (transaction.request !== undefined) {
    transaction.move("respond");
    try {
      const fired = transaction.fire(
        "readResponse",
        transaction.request,
        reply.response,
      );
      const verdict = fired instanceof Promise ? await fired : fired;
      if (verdict !== undefined) {
        const outcome = transaction.replyOf(verdict);
        if (outcome === undefined) {
          reply = { ...reply, close: true };
        } else {
          discard(reply);
          if (outcome === "close") return "close";
          reply = outcome;
        }
      }
    } catch (thrown) {
      reply = replaceFailed(transaction, reply, thrown);
    }
    transaction.response = reply.response;
  }
  transaction.move("deliver");
  try {
    const fired = transaction.fire(
      "sendResponseHeader",
      transaction.request,
      reply.response,
    );
    const verdict = fired instanceof Promise ? await fired : fired;
    if (verdict !== undefined) {
      discard(reply);
      return "close";
    }
  } catch (thrown) {
    reply = replaceFailed(transaction, reply, thrown);
    transaction.response = reply.response;
  }
  return reply;
}

/** A handler's failure takes the place of the response that it was to see. */
function replaceFailed(
  transaction: Transaction,
  reply: Reply,
  thrown: unknown,
): Reply {
  const error = asProxyError(thrown);
  transaction.fail(error);
  discard(reply);
  return transaction.failureReply(error);
}

/** A response that is not sent: what is left of its body would be read for nothing. */
function discard(reply: Reply): void {
  reply.body?.cancel();
  reply.attempt?.connection?.close();
}

/** Relays bytes after a 101 until both directions have ended. */
async function tunnel(transaction: Transaction, reply: Reply): Promise<void> {
  const { exchange, listener } = transaction;
  const connection = reply.attempt!.connection!;
  const client = await exchange.switchProtocols(reply.response);
  transaction.move("tunnel");
  const failure = await relay(client, connection.tunnel(), {
    idle: listener.timeouts.tunnel,
    idleCode: "client_idle",
  });
  if (failure !== undefined) transaction.fail(failure);
}
