/**
 * A request as it leaves for a backend: Host by the cluster's wish, the base
 * path before the target, the forwarding fields of this hop.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { Fields, PreparedFields } from "../message/fields.ts";
import type { OutgoingRequest } from "../message/head.ts";
import { backendHost, type BackendUrl } from "../config/backend_url.ts";
import { asksForWebSocket, hideFields } from "../websocket/handshake.ts";
import type { Attempt } from "./attempt.ts";
import { hopsLeft } from "./max_forwards.ts";
import type { Transaction } from "./transaction.ts";
import type { Again } from "./tries.ts";

/** The request of an attempt; of a WebSocket session that dials anew with `again`. Throws `loop_detected`. */
export function outgoingRequest(
  transaction: Transaction,
  attempt: Attempt,
  again?: Again,
): OutgoingRequest {
  const head = transaction.head!;
  const { request, backend: { url } } = attempt;
  const original = request.headers;
  checkLoop(transaction.session.env.instance, original);
  const host = hostField(attempt, original);
  const forwarded = forwardedFields(transaction, original);
  const hops = hopsLeft(request.method, original);
  // What the backend gets of these must not show in the client's request.
  const { websocket } = transaction;
  // The body is whole: who waits for it was told to go on.
  const answered = transaction.buffered !== undefined && original.has("expect");
  const tunnels = websocket === undefined && asksForWebSocket(head);
  const changes = host !== undefined || hops !== undefined ||
    websocket !== undefined || tunnels || answered;
  const fields = changes ? original.copy() : original;
  if (host !== undefined) fields.put("host", host);
  if (hops !== undefined) fields.put("max-forwards", String(hops - 1));
  if (answered) fields.remove("expect");
  if (websocket !== undefined) {
    attempt.websocketKey = websocket.askBackend(fields, again);
  } else if (tunnels) hideFields(fields, attempt.cluster.config.websocket);
  return {
    method: request.method,
    target: url.prefix === "" ? request.target : join(url, request.target),
    fields,
    bodyLength: transaction.buffered?.length ?? head.bodyLength,
    upgrade: head.upgrade,
    // What is switched to has no trailers.
    trailers: head.takesTrailers && head.upgrade === undefined,
    prepared: forwarded,
  };
}

/** The fields that a dialer gets for its backend. Throws `loop_detected`. */
export function dialHeaders(
  transaction: Transaction,
  again: Again | undefined,
): Headers {
  const original = transaction.request!.headers;
  checkLoop(transaction.session.env.instance, original);
  const forwarded = forwardedFields(transaction, original);
  const headers = transaction.websocket!.askDialer(original.copy(), again);
  for (const [name, value] of forwarded) headers.append(name, value);
  return headers;
}

/** A base path and a target with one slash between them; `*` has no path to put it before. */
function join(url: BackendUrl, target: string): string {
  return target === "*" ? target : url.prefix + target;
}

/** The Host that the cluster wants instead of the client's. */
function hostField(attempt: Attempt, fields: Fields): string | undefined {
  const { hostHeader } = attempt.cluster.config;
  const { url } = attempt.backend;
  switch (hostHeader) {
    case "client":
      // RFC 9112 §3.2: a request of HTTP/1.1 has one, also where 1.0 had none.
      return fields.has("host") ? undefined : backendHost(url);
    case "backend":
      return backendHost(url);
    default:
      return hostHeader;
  }
}

/** Forwarded, X-Forwarded-* and Via of this hop; what a trusted peer or a handler has set stands. */
function forwardedFields(
  transaction: Transaction,
  fields: Fields,
): PreparedFields {
  const { origin, scheme, session, listener } = transaction;
  const { host, version } = transaction.head!;
  return session.forwarding.of({
    host,
    version,
    chain: origin?.chain,
    forwardedHost: fields.has("x-forwarded-host")
      ? undefined
      : origin?.host ?? host,
    forwardedScheme: fields.has("x-forwarded-proto") ? undefined : scheme,
    tellsForwarded: origin === undefined || origin.tellsForwarded,
    // What a trusted peer says of a certificate stands.
    tellsCertificate: listener.tls?.asksClients === true &&
      !fields.has("x-client-cert-verify"),
  });
}

/** Our own name in Via: the request went round (RFC 9110 §7.6.3). Throws `loop_detected`. */
export function checkLoop(instance: string, fields: Fields): void {
  if (!fields.has("via")) return;
  const hops = fields.getAll("via").flatMap((via) => via.split(","));
  // `1.1 name (comment)`: one instance's name may be the beginning of another's.
  if (hops.some((hop) => hop.trim().split(/[ \t]+/)[1] === instance)) {
    throw new ProxyError(
      "loop_detected",
      `The request came through ${instance} before`,
    );
  }
}
