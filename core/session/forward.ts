/**
 * From a cluster to a response's head: attempts, points 12 to 15.
 *
 * @module
 */
import { asProxyError, ProxyError } from "../errors.ts";
import type { ResponseHead } from "../message/head.ts";
import type { Verdict } from "../verdict.ts";
import type { Attempt } from "./attempt.ts";
import { outgoingRequest } from "./outgoing_request.ts";
import { type Outcome, replyOf } from "./reply.ts";
import { hasBody, Response } from "./response.ts";
import type { Transaction } from "./transaction.ts";
import { Tries } from "./tries.ts";

/** Asks backends until one answers. Rejects with the last attempt's ProxyError. */
export async function forward(transaction: Transaction): Promise<Outcome> {
  const cluster = transaction.snapshot.cluster(transaction.cluster!)!;
  const tries = new Tries(transaction, cluster);
  for (;;) {
    transaction.move("forward");
    const attempt = tries.next();
    try {
      const outcome = await makeAttempt(transaction, attempt, tries);
      if (outcome !== "retry") return outcome;
    } catch (thrown) {
      const error = failAttempt(transaction, attempt, thrown);
      await stopUpload(transaction, attempt);
      if (!tries.afterFailure(attempt, error)) throw error;
    }
  }
}

/** One attempt: a reply, or "retry" where a handler wants and may have another one. */
async function makeAttempt(
  transaction: Transaction,
  attempt: Attempt,
  tries: Tries,
): Promise<Outcome | "retry"> {
  let verdict = fire(transaction, "forward", attempt);
  if (verdict instanceof Promise) verdict = await verdict;
  if (verdict !== undefined) {
    return await answered(transaction, attempt, verdict);
  }
  attempt.fix();

  transaction.move("resolve");
  const { backend } = attempt;
  const resolved = backend.resolve();
  attempt.addresses = resolved instanceof Promise ? await resolved : resolved;
  verdict = fire(transaction, "resolve", attempt);
  if (verdict instanceof Promise) verdict = await verdict;
  if (verdict !== undefined) {
    return await answered(transaction, attempt, verdict);
  }

  transaction.move("connect");
  const pooled = tries.fresh
    ? undefined
    : backend.takePooled(attempt.addresses);
  const connection = pooled ?? await backend.connect(attempt.addresses);
  attempt.use(connection);
  transaction.connectedAt = transaction.elapsed();
  if (transaction.gone !== undefined) throw transaction.gone;
  verdict = fire(transaction, "sendRequestHeader", attempt);
  if (verdict instanceof Promise) verdict = await verdict;
  if (verdict !== undefined) {
    return await answered(transaction, attempt, verdict);
  }

  const sent = transaction.elapsed();
  await connection.send(
    outgoingRequest(transaction, attempt),
    transaction.exchange.body,
  );
  transaction.exchange.watch();
  return await awaitResponse(transaction, attempt, tries, sent);
}

/** Waits for the final response, passing interim ones on. */
async function awaitResponse(
  transaction: Transaction,
  attempt: Attempt,
  tries: Tries,
  sent: number,
): Promise<Outcome | "retry"> {
  const connection = attempt.connection!;
  const { config } = attempt.cluster;
  const rule = transaction.rule?.config;
  const timeout =
    (rule?.cluster === undefined ? undefined : rule.timeouts.response) ??
      config.timeouts.response;
  for (;;) {
    transaction.move("wait");
    attempt.response = undefined;
    const head = await connection.readHead(timeout);
    checkSwitch(transaction, head);
    attempt.status = head.status;
    const response = responseOf(transaction, head);
    attempt.response = response;
    const fired = transaction.fire(
      "readResponseHeader",
      attempt.request,
      response,
      attempt.view,
    );
    const verdict = fired instanceof Promise ? await fired : fired;
    if (verdict?.kind === "retry") {
      if (head.status !== 101 && tries.afterVerdict(attempt)) {
        attempt.close();
        attempt.backend.attempts.failed.add(1);
        return "retry";
      }
      transaction.session.plane.refuseRetry();
    } else if (verdict !== undefined) {
      return await answered(transaction, attempt, verdict);
    }
    if (head.status < 200 && head.status !== 101) {
      if (transaction.exchange.takesInterim) {
        await transaction.exchange.sendInterim(response);
      }
      continue;
    }
    // Opened where nobody wants it, too: a connection with an unread body is not kept.
    const body = connection.body(config.timeouts.read);
    const now = transaction.elapsed();
    transaction.responseHeadAt = now;
    attempt.backend.attempts.ok.add(1);
    attempt.backend.responseTime.observe((now - sent) / 1000);
    return {
      response,
      body: response.hasBody ? body : null,
      close: false,
      attempt,
    };
  }
}

function responseOf(transaction: Transaction, head: ResponseHead): Response {
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
  if (head.status !== 101) return;
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
  transaction.exchange.body?.cancel();
  await upload;
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

function fire(
  transaction: Transaction,
  point: "forward" | "resolve" | "sendRequestHeader",
  attempt: Attempt,
): Verdict | undefined | Promise<Verdict | undefined> {
  return transaction.fires(point)
    ? transaction.fire(point, attempt.request, attempt.view)
    : undefined;
}
