/**
 * From a reply to the client's last byte: points 16 and 17, the body, the
 * tunnel after a 101.
 *
 * @module
 */
import { POINT } from "../callback_points.ts";
import { asProxyError } from "../errors.ts";
import { Relay } from "../net/relay.ts";
import type { Socket } from "../net/socket.ts";
import { TransformedBody } from "../message/transformed_body.ts";
import type { Attempt } from "./attempt.ts";
import type { Lasting } from "./exchange.ts";
import { stopUpload } from "./forward.ts";
import { failureReply, type Reply, replyOf } from "./reply.ts";
import type { Response } from "./response.ts";
import type { Transaction } from "./transaction.ts";
import { serveWebSocket } from "./serve_websocket.ts";
import { STATES } from "./states.ts";
import { transformReply } from "./transforms.ts";

/**
 * Sends a reply; `"close"` where a handler wants nothing to be sent, a tunnel
 * where one goes on behind it. Rejects with a ProxyError where it could not be
 * sent whole.
 */
export async function deliver(
  transaction: Transaction,
  first: Reply,
): Promise<"sent" | "close" | Lasting> {
  const { exchange } = transaction;
  const reply = transaction.fires(POINT.readResponse) ||
      transaction.fires(POINT.sendResponseHeader) ||
      transaction.responseTransforms !== undefined
    ? await askHandlers(transaction, first)
    : unasked(transaction, first);
  if (reply === "close") return reply;
  const { attempt } = first;
  transaction.trace?.tell(reply.response);
  if (reply.response.status === 101) {
    return await (transaction.websocket === undefined
      ? tunnel(transaction, reply.response, attempt!)
      : serveWebSocket(transaction, reply.response, first.foreign ?? attempt!));
  }
  const before = exchange.bytesOut;
  try {
    await sendReply(transaction, reply);
  } catch (thrown) {
    discard(reply);
    await sendInstead(transaction, thrown, exchange.bytesOut === before);
  } finally {
    const ending = attempt && endUpload(transaction, attempt);
    if (ending !== undefined) await ending;
  }
  return "sent";
}

/** Sends what tells of a failure, where it came before a byte was out; else throws it. */
async function sendInstead(
  transaction: Transaction,
  thrown: unknown,
  unsent: boolean,
): Promise<void> {
  if (transaction.gone !== undefined) throw transaction.gone;
  const error = asProxyError(thrown);
  if (!unsent || error.side === "client") throw error;
  transaction.fail(error);
  const reply = failureReply(transaction, error);
  transaction.trace?.tell(reply.response);
  await sendReply(transaction, reply);
}

function sendReply(transaction: Transaction, reply: Reply): Promise<void> {
  const { response, body } = reply;
  transaction.response = response;
  transaction.status = response.status;
  const close = reply.close || transaction.session.closing;
  return transaction.exchange.send(response, body, { close });
}

/**
 * A request's body that is still being sent when the response is out is wanted
 * no more. Where it all went with the head, without a promise, the connection is
 * released only when the last handler has read the response's fields.
 */
function endUpload(
  transaction: Transaction,
  attempt: Attempt,
): undefined | Promise<void> {
  if (attempt.connection!.upload === null) return undefined;
  attempt.keepViews();
  attempt.release();
  return stopUpload(transaction, attempt);
}

/** The reply as it is, where nobody handles the points on its way. */
function unasked(transaction: Transaction, reply: Reply): Reply {
  transaction.response = reply.response;
  if (transaction.request !== undefined) transaction.move(STATES.respond);
  transaction.move(STATES.deliver);
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
    transaction.move(STATES.respond);
    try {
      const fired = transaction.fire(
        POINT.readResponse,
        transaction.request,
        reply.response,
      );
      const verdict = fired instanceof Promise ? await fired : fired;
      if (verdict !== undefined) {
        const outcome = replyOf(transaction, verdict);
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
  if (transaction.responseTransforms !== undefined) {
    reply = await transformed(transaction, reply);
    transaction.response = reply.response;
  }
  transaction.move(STATES.deliver);
  try {
    const fired = transaction.fire(
      POINT.sendResponseHeader,
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

/** The reply behind its transforms: sendResponseHeader waits for their first output. */
async function transformed(
  transaction: Transaction,
  reply: Reply,
): Promise<Reply> {
  try {
    const next = transformReply(transaction, reply);
    if (next.body instanceof TransformedBody) await next.body.prime();
    return next;
  } catch (thrown) {
    return replaceFailed(transaction, reply, thrown);
  }
}

/** A handler's failure takes the place of the response that it was to see. */
function replaceFailed(
  transaction: Transaction,
  reply: Reply,
  thrown: unknown,
): Reply {
  discard(reply);
  if (transaction.gone !== undefined) throw transaction.gone;
  const error = asProxyError(thrown);
  transaction.fail(error);
  return failureReply(transaction, error);
}

/** A response that is not sent: what is left of its body would be read for nothing. */
function discard(reply: Reply): void {
  reply.body?.cancel();
  reply.attempt?.close();
  reply.foreign?.close();
}

/** Sends the 101; bytes are relayed from then on until both directions have ended. */
async function tunnel(
  transaction: Transaction,
  response: Response,
  attempt: Attempt,
): Promise<Lasting> {
  const { exchange, listener } = transaction;
  transaction.status = response.status;
  let client: Socket;
  try {
    client = await exchange.switchProtocols(response);
  } catch (thrown) {
    attempt.close();
    throw thrown;
  }
  transaction.move(STATES.tunnel);
  attempt.keepViews();
  transaction.session.settle();
  const relaying = new Relay(client, attempt.tunnel(), {
    idle: listener.timeouts.tunnel,
    idleCode: "client_idle",
  });
  return new LastingTunnel(transaction, attempt, relaying);
}

/** A tunnel that goes on. */
class LastingTunnel implements Lasting {
  readonly #transaction: Transaction;
  readonly #attempt: Attempt;
  readonly #relay: Relay;

  constructor(transaction: Transaction, attempt: Attempt, relay: Relay) {
    this.#transaction = transaction;
    this.#attempt = attempt;
    this.#relay = relay;
  }

  get over(): Promise<unknown> {
    return this.#relay.ended;
  }

  end(): void {
    const { failure } = this.#relay;
    if (failure !== undefined) this.#transaction.fail(failure);
    this.#attempt.close();
  }
}
