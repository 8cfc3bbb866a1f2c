/**
 * Responses that do not come from a backend: handlers', redirects, and
 * Headrace's own for failures.
 *
 * @module
 */
import type { ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import { ListFields } from "../message/list_fields.ts";
import { BytesBody, FileBody, StreamBody } from "../message/made_bodies.ts";
import { isFramingField } from "../message/field_rules.ts";
import type {
  HandlerResponse,
  HttpRequest,
  HttpResponse,
  ResponseParts,
} from "../plugin.ts";
import { reasonOf } from "./reason_phrases.ts";
import { hasBody, Response } from "./response.ts";

/** A response and the body that goes with it; null where none follows. */
export interface Made {
  readonly response: Response;
  readonly body: BodyReader | null;
}

/** A response whose fields are checked and copied: what is left can't fail. */
export interface Sendable extends ResponseParts {
  readonly headers: ListFields;
}

/**
 * What a handler answered, so that it can be sent. Throws a `TypeError` or
 * `RangeError` for what can't.
 */
export function sendable(answer: HandlerResponse): Sendable {
  const { status, headers } = answer;
  checkStatus(status);
  if (headers instanceof ListFields) return answer as Sendable;
  const fields = new ListFields([]);
  for (const [name, value] of entries(headers)) {
    if (!isFramingField(name)) fields.append(name, value);
  }
  const { body } = answer;
  const length = lengthOf(answer);
  if (body === undefined || body === null) {
    return { status, headers: fields, ...length };
  }
  if (answer instanceof globalThis.Response && answer.bodyUsed) {
    throw new TypeError("Cannot send a Response whose body was used already");
  }
  if (typeof body === "string" && !fields.has("content-type")) {
    fields.set("content-type", "text/plain; charset=utf-8");
  }
  return { status, headers: fields, body, ...length };
}

/** The length that it says by itself; texts and bytes tell theirs. */
function lengthOf(answer: HandlerResponse): { readonly length?: number } {
  if (!("length" in answer) || answer.length === undefined) return {};
  const { length } = answer;
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new RangeError(
      `Cannot answer with a length that is no whole number of bytes: current value is ${length}`,
    );
  }
  return { length };
}

/** What a handler answered to a request of this method. Throws as {@linkcode sendable}. */
export function fromHandler(
  answer: HandlerResponse,
  method: string | undefined,
): Made {
  return fromParts(sendable(answer), method, "handler");
}

/** What answers a request of this method, as the client sent it: what handlers make of it is for backends. */
export function fromParts(
  { status, headers, body, length: said }: Sendable,
  method: string | undefined,
  from: HttpResponse["from"],
): Made {
  const wanted = hasBody(method, status);
  const { length, reader } = openBody(body, wanted, said);
  const response = new Response({
    status,
    reason: reasonOf(status),
    fields: headers,
    from,
    // RFC 9110 §15.4.5: what a 200 would have is said, or nothing.
    bodyLength: body === undefined && status === 304 ? said : length,
    method,
  });
  return { response, body: reader };
}

/** The declared length, -1 unknown, and what reads the body; null where none is wanted. */
function openBody(
  body: Sendable["body"],
  wanted: boolean,
  said: number | undefined,
): { length: number | undefined; reader: BodyReader | null } {
  if (typeof body !== "object" || body instanceof Uint8Array) {
    const bytes = typeof body === "object" ? body : encoder.encode(body ?? "");
    const reader = wanted ? new BytesBody(bytes) : null;
    const length = body === undefined && !wanted ? said : undefined;
    return { length: length ?? bytes.length, reader };
  }
  if (wanted) {
    const reader = body instanceof Deno.FsFile
      ? new FileBody(body, said)
      : new StreamBody(body);
    return { length: said ?? -1, reader };
  }
  if (body instanceof Deno.FsFile) body.close();
  // A stream that fails while it is given up has told nobody anything new.
  else body.cancel().catch(() => {});
  return { length: said, reader: null };
}

const encoder = new TextEncoder();

/** A redirect, with a line of text for those who do not follow it. */
export function redirectTo(
  url: string,
  status: number,
  method: string | undefined,
  from: "handler" | "proxy" = "handler",
): Made {
  const location = asciiUrl(url);
  const parts = { status, headers: { location }, body: `See ${location}\n` };
  return fromParts(sendable(parts), method, from);
}

/** A URI has only visible ASCII (RFC 3986 §2): the rest is encoded, what is encoded stays. */
function asciiUrl(url: string): string {
  return url.toWellFormed().replace(/[^\x21-\x7e]+/g, encodeURIComponent);
}

/** What a client gets for a failure: small, by what it accepts, with the transaction's id. */
export function forFailure(
  error: ProxyError,
  request: Pick<HttpRequest, "method" | "headers"> | undefined,
  id: string,
): Made {
  const { status, code } = error;
  const facts = { status, reason: reasonOf(status), code, id };
  const [type, body] = failureText(
    request?.headers.get("accept") ?? "",
    facts,
  );
  const headers = new ListFields([
    ["content-type", type],
    ["cache-control", "no-store"],
  ]);
  if (status === 405) headers.add("allow", ALLOWED_METHODS);
  // RFC 6455 §4.4: a client that speaks another version learns ours.
  if (code === "websocket_handshake") {
    headers.add("sec-websocket-version", "13");
  }
  return fromParts({ status, headers, body }, request?.method, "proxy");
}

/** What RFC 9110 §15.5.6 wants beside a 405. */
export const ALLOWED_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH";

interface FailureFacts {
  readonly status: number;
  readonly reason: string;
  readonly code: string;
  readonly id: string;
}

function failureText(accept: string, facts: FailureFacts): [string, string] {
  const title = `${facts.status} ${facts.reason}`;
  switch (preferredType(accept)) {
    case "application/json": {
      const { status, reason, code, id } = facts;
      const json = { status, error: reason, code, request: id };
      return ["application/json", JSON.stringify(json) + "\n"];
    }
    case "text/html":
      return [
        "text/html; charset=utf-8",
        `<!doctype html><title>${title}</title><h1>${title}</h1>` +
        `<p>Request ${facts.id}</p>\n`,
      ];
    default:
      return ["text/plain; charset=utf-8", `${title}\nRequest ${facts.id}\n`];
  }
}

/** Of the types that a failure can be told in, the one that Accept names first among those it wants most (RFC 9110 §12.5.1). */
function preferredType(accept: string): string | undefined {
  let preferred: string | undefined;
  let most = 0;
  for (const range of accept.toLowerCase().split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) =>
      part.trim()
    );
    if (!FAILURE_TYPES.includes(type)) continue;
    const weight = parameters.find((parameter) => parameter.startsWith("q="));
    const wanted = weight === undefined ? 1 : Number(weight.slice(2));
    if (wanted > most) {
      preferred = type;
      most = wanted;
    }
  }
  return preferred;
}

const FAILURE_TYPES = ["text/plain", "text/html", "application/json"];

function checkStatus(status: number): void {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(
      `Cannot answer with a status outside 200 to 599: current value is ${status}`,
    );
  }
}

/** Field lines in whichever form a plugin gives them. */
export function* entries(
  headers: HandlerResponse["headers"],
): Iterable<readonly [string, string]> {
  if (headers === undefined) return;
  if (Symbol.iterator in headers) {
    yield* headers as Iterable<readonly [string, string]>;
    return;
  }
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === "string") yield [name, value];
    else for (const each of value) yield [name, each];
  }
}
