/**
 * A request as it leaves for a backend: Host by the cluster's wish, the base
 * path before the target, the forwarding fields of this hop.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { Fields, PreparedFields } from "../message/fields.ts";
import type { OutgoingRequest } from "../message/head.ts";
import { formatHost } from "../net/address.ts";
import type { BackendUrl } from "../config/backend_url.ts";
import type { Attempt } from "./attempt.ts";
import type { Request } from "./request.ts";
import type { Transaction } from "./transaction.ts";

/** The request of an attempt. Throws `loop_detected`. */
export function outgoingRequest(
  transaction: Transaction,
  request: Request,
  attempt: Attempt,
): OutgoingRequest {
  const head = transaction.head!;
  const { url } = attempt.backend;
  const original = request.headers;
  checkLoop(transaction, original);
  const host = hostField(attempt, original);
  const forwarded = forwardedFields(transaction, original);
  // What only this hop says must not show in the client's request.
  const changes = host !== undefined || original.has("x-forwarded-proto") ||
    original.has("x-forwarded-host");
  const fields = changes ? original.copy() : original;
  if (host !== undefined) fields.put("host", host);
  if (changes && !transaction.trusted) {
    fields.remove("x-forwarded-proto");
    fields.remove("x-forwarded-host");
  }
  return {
    method: request.method,
    target: url.prefix === "" ? request.target : join(url, request.target),
    fields,
    bodyLength: head.bodyLength,
    upgrade: head.upgrade,
    prepared: forwarded,
  };
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

function backendHost(url: BackendUrl): string {
  if (url.path !== undefined) return "localhost";
  const defaultPort = url.scheme === "https" ? 443 : 80;
  const host = formatHost(url.hostname);
  return url.port === defaultPort ? host : `${host}:${url.port}`;
}

/** X-Forwarded-* and Via of this hop. */
function forwardedFields(
  transaction: Transaction,
  fields: Fields,
): PreparedFields {
  const { session, trusted } = transaction;
  return session.forwardedFields({
    host: trusted && fields.has("x-forwarded-host")
      ? undefined
      : fields.first("host"),
    scheme: trusted && fields.has("x-forwarded-proto")
      ? undefined
      : transaction.scheme,
    version: transaction.head!.version,
  });
}

/** Our own name in Via: the request went round (RFC 9110 §7.6.3). */
function checkLoop(transaction: Transaction, fields: Fields): void {
  if (!fields.has("via")) return;
  const { instance } = transaction.session.env;
  if (fields.getAll("via").some((via) => via.includes(instance))) {
    throw new ProxyError(
      "loop_detected",
      `The request came through ${instance} before`,
    );
  }
}
