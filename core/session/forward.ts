/**
 * From a cluster to a response's head: attempts, points 12 to 15.
 *
 * @module
 */
import { POINT } from "../callback_points.ts";
import type { Cluster } from "../balance/cluster.ts";
import type { Preface } from "../connect/preface.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import type { ResponseHead } from "../message/head.ts";
import type { Verdict } from "../verdict.ts";
import type { Attempt } from "./attempt.ts";
import { forwardToDialer } from "./forward_to_dialer.ts";
import { fetchThrough } from "./cached_fetch.ts";
import { outgoingRequest } from "./outgoing_request.ts";
import { type Outcome, type Reply, replyOf } from "./reply.ts";
import { hasBody, Response } from "./response.ts";
import type { Transaction } from "./transaction.ts";
import { transformBody, transformedRequest } from "./transforms.ts";
import { Tries } from "./tries.ts";
import { STATES } from "./states.ts";
import {
  checkHandshake,
  openHandshake,
  switchReply,
} from "./websocket_handshake.ts";

/** Asks backends until one answers. Throws or rejects with a ProxyError. */
export function forward(transaction: Transaction): Promise<Outcome> {
  const { caching } = transaction;
  if (caching !== undefined) {
    // It asks again where the first answer was none.
    let tries: Tries | undefined;
    return fetchThrough(
      caching,
      () => ask(transaction, tries ??= new Tries(transaction)),
    );
  }
  openHandshake(transaction);
  const { snapshot, cluster, websocket } = transaction;
  const dialer = websocket && snapshot.dialer(cluster!);
  if (dialer !== undefined) {
    const timeout = responseTimeout(transaction, snapshot.cluster(cluster!)!);
    return forwardToDialer(transaction, dialer, timeout);
  }
  return ask(transaction, new Tries(transaction));
}

/**
 * An attempt and, after one that failed or that a handler dropped, the next.
 * Rejects with the last attempt's ProxyError.
 */
export async function ask(
  transaction: Transaction,
  tries: Tries,
): Promise<Outcome> {
  transaction.move(STATES.forward);
  tries.forgetTransforms();
  const attempt = tries.next();
  try {
    let verdict = fire(transaction, POINT.forward, attempt);
    if (verdict instanceof Promise) verdict = await verdict;
    if (verdict !== undefined) {
      return await answered(transaction, attempt, verdict);
    }
    attempt.fix();

    if (attempt.waits) {
      transaction.move(STATES.queue);
      await tries.waitForSlot(attempt);
      if (transaction.gone !== undefined) throw transaction.gone;
    }
    transaction.move(STATES.resolve);
    const resolved = attempt.backend.resolve();
    attempt.addresses = resolved instanceof Promise ? await resolved : resolved;
    attempt.checkWanted();
    verdict = fire(transaction, POINT.resolve, attempt);
    if (verdict instanceof Promise) verdict = await verdict;
    if (verdict !== undefined) {
      return await answered(transaction, attempt, verdict);
    }

    transaction.move(STATES.connect);
    const preface = prefaceOf(transaction, attempt);
    const connection = tries.takePooled(attempt, preface) ??
      await attempt.backend.connect(attempt.addresses, preface);
    attempt.use(connection);
    transaction.connectedAt = transaction.elapsed();
    if (transaction.gone !== undefined) throw transaction.gone;
    verdict = fire(transaction, POINT.sendRequestHeader, attempt);
    if (verdict instanceof Promise) verdict = await verdict;
    if (verdict !== undefined) {
      return await answered(transaction, attempt, verdict);
    }

    const outgoing = outgoingRequest(transaction, attempt, tries.again);
    const chain = transaction.requestTransforms;
    if (chain === undefined || tries.body === null) {
      await connection.send(outgoing, tries.body);
    } else {
      const { body, length } = transformBody(transaction, tries.body, chain);
      attempt.transformed = body;
      await connection.send(transformedRequest(outgoing, length), body);
    }
    if (tries.again === undefined) transaction.exchange.watch();
    const timeout = responseTimeout(transaction, attempt.cluster);
    for (;;) {
      transaction.move(STATES.wait);
      attempt.response = undefined;
      const head = await connection.readHead(timeout);
      checkHandshake(transaction, attempt, head, tries.again);
      const response = attempt.response = responseOf(transaction, head);
      attempt.status = head.status;
      const final = head.status >= 200 || head.status === 101;
      if (final) attempt.answered(head.status);
      verdict = fire(transaction, POINT.readResponseHeader, attempt);
      if (verdict instanceof Promise) verdict = await verdict;
      if (verdict?.kind === "retry") {
        if (tries.afterVerdict(attempt)) break;
      } else if (verdict !== undefined) {
        return await answered(transaction, attempt, verdict);
      }
      if (final) {
        if (tries.afterStatus(attempt)) break;
        const reply = backendReply(
          transaction,
          attempt,
          switchReply(transaction, response) ?? response,
        );
        const { specimens } = transaction.session.env;
        if (head.status !== 101 && specimens.choose()) {
          transaction.specimen = { tries, head, reply };
        }
        return reply;
      }
      if (transaction.exchange.takesInterim && tries.again === undefined) {
        await transaction.exchange.sendInterim(response);
      }
    }
  } catch (thrown) {
    const error = failAttempt(transaction, attempt, thrown);
    await stopUpload(transaction, attempt);
    if (!tries.afterFailure(attempt, error)) throw error;
  }
  // A backend may have answered within the body.
  await stopUpload(transaction, attempt);
  tries.rewind();
  return await ask(transaction, tries);
}

/** What the attempt's connection begins with: whom the backend is to take for the client. */
function prefaceOf(
  { session, clientAddress }: Transaction,
  attempt: Attempt,
): Preface | undefined {
  const { proxyProtocol } = attempt.cluster.config;
  return proxyProtocol === "none"
    ? undefined
    : session.preface(proxyProtocol, clientAddress);
}

/** How long the backend may take to a head, in milliseconds: the rule's word before the cluster's. */
export function responseTimeout(
  transaction: Transaction,
  { config }: Cluster,
): number {
  const rule = transaction.rule?.config;
  const own = rule?.cluster === undefined ? undefined : rule.timeouts.response;
  return own ?? config.timeouts.response;
}

/** The reply of a backend's final response. */
function backendReply(
  transaction: Transaction,
  attempt: Attempt,
  response: Response,
): Reply {
  const { backend, cluster } = attempt;
  const now = transaction.elapsed();
  transaction.responseHeadAt = now;
  backend.attempts.ok.add(1);
  backend.responseTime.observe((now - transaction.connectedAt!) / 1000);
  if (cluster.sticky !== undefined) stick(transaction, attempt, response);
  // Opened where nobody wants it, too: a connection with an unread body is not kept.
  const body = attempt.connection!.body(cluster.config.timeouts.read);
  return {
    response,
    body: response.hasBody ? body : null,
    close: false,
    attempt,
  };
}

/** Has the client come back to this backend, unless its cookie says so already. */
function stick(
  { request, scheme }: Transaction,
  { backend, cluster }: Attempt,
  { fields }: Response,
): void {
  const sticky = cluster.sticky!;
  const cookie = request!.cookie(sticky.name);
  if (cookie !== undefined && sticky.read(cookie) === backend.id) return;
  fields.append("set-cookie", sticky.issue(backend.id, scheme === "https"));
}

/** A backend's response as it came, interim ones too. Throws `bad_response`. */
function responseOf(transaction: Transaction, head: ResponseHead): Response {
  if (head.status === 101) checkSwitch(transaction, head);
  const { method } = transaction.head!;
  return new Response({
    status: head.status,
    reason: head.reason,
    fields: head.fields,
    from: "backend",
    bodyLength: saidLength(head, method),
    method,
  });
}

/** The length to say: the body's or, where none follows, what the body would have had (RFC 9110 §8.6). */
function saidLength(head: ResponseHead, method: string): number | undefined {
  if (hasBody(method, head.status)) return head.bodyLength;
  const said = head.status === 304 || head.status >= 200 && method === "HEAD"
    ? head.fields.first("content-length")
    : undefined;
  return said === undefined ? undefined : Number(said);
}

/** A backend may switch only to what the client asked for (RFC 9110 §15.2.2). */
function checkSwitch(transaction: Transaction, head: ResponseHead): void {
  const wanted = transaction.head!.upgrade;
  const got = head.fields.first("upgrade")?.toLowerCase();
  if (wanted === undefined || got !== wanted) {
    throw new ProxyError(
      "bad_response",
      `The backend switched to ${got ?? "nothing"}, asked for was ${
        wanted ?? "nothing"
      }`,
    );
  }
}

/**
 * Ends sending the request's body once its backend's connection is released or
 * closed: nobody wants the rest (RFC 9112 §9.3), and the exchange may read it.
 */
export async function stopUpload(
  transaction: Transaction,
  attempt: Attempt,
): Promise<void> {
  const upload = attempt.connection?.upload;
  if (upload === undefined || upload === null) return;
  // A transform that stands still would hold it up.
  attempt.transformed?.cancel();
  transaction.exchange.body?.cancel();
  await upload;
  await attempt.transformed?.released();
}

function failAttempt(
  transaction: Transaction,
  attempt: Attempt,
  thrown: unknown,
): ProxyError {
  // A broken upload explains a broken connection, not the other way round.
  const upload = attempt.connection?.uploadError;
  const client = upload?.side === "client" ? upload : undefined;
  // A client that left had the connection closed: no failure of the backend.
  const error = transaction.gone ?? client ?? asProxyError(thrown);
  attempt.error = error;
  attempt.failed(error);
  attempt.close();
  if (error.side === "backend") attempt.backend.attempts.failed.add(1);
  return error;
}

/** What a handler answers in place of a backend: the attempt is over. */
async function answered(
  transaction: Transaction,
  attempt: Attempt,
  verdict: Verdict,
): Promise<Outcome> {
  attempt.close();
  await stopUpload(transaction, attempt);
  // The table allows no verdict at these points that has no outcome.
  return replyOf(transaction, verdict) ?? "close";
}

/** Runs a point of an attempt; without handlers no view is made. */
function fire(
  transaction: Transaction,
  point: number,
  attempt: Attempt,
): Verdict | undefined | Promise<Verdict | undefined> {
  if (!transaction.fires(point)) return undefined;
  const { request, response, view } = attempt;
  const fired = point === POINT.readResponseHeader
    ? transaction.fire(point, request, response, view)
    : transaction.fire(point, request, view);
  return fired instanceof Promise ? unlessGivenUp(fired, attempt) : fired;
}

/** A search that was given up while a handler worked leaves the transaction to the next one. */
async function unlessGivenUp(
  fired: Promise<Verdict | undefined>,
  attempt: Attempt,
): Promise<Verdict | undefined> {
  const verdict = await fired;
  attempt.checkWanted();
  return verdict;
}
