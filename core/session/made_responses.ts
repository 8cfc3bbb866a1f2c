/**
 * Responses that do not come from a backend: handlers', redirects, and
 * Headrace's own for failures.
 *
 * @module
 */
import type { ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import { ListFields } from "../message/list_fields.ts";
import { BytesBody, StreamBody } from "../message/made_bodies.ts";
import { isFramingField } from "../message/field_rules.ts";
import type { HandlerResponse, HttpRequest, ResponseParts } from "../plugin.ts";
import { hasBody, Response } from "./response.ts";

/** A response and the body that goes with it; null where none follows. */
export interface Made {
  readonly response: Response;
  readonly body: BodyReader | null;
}

const encoder = new TextEncoder();

/** What a handler answered. Throws a `TypeError` or `RangeError` for what can't be sent. */
export function fromHandler(
  answer: HandlerResponse,
  method: string | undefined,
): Made {
  return answer instanceof globalThis.Response
    ? fromWeb(answer, method)
    : fromParts(answer, method);
}

/** A redirect, with a line of text for those who do not follow it. */
export function redirectTo(
  url: string,
  status: number,
  method: string | undefined,
): Made {
  return fromParts({
    status,
    headers: { location: url },
    body: `See ${url}\n`,
  }, method);
}

/** What a client gets for a failure: small, by what it accepts, with the transaction's id. */
export function forFailure(
  error: ProxyError,
  request: HttpRequest | undefined,
  id: string,
): Made {
  const { status } = error;
  const reason = reasonOf(status);
  const [type, text] = failureText(
    request?.headers.get("accept") ?? "",
    { status, reason, code: error.code, id },
  );
  const headers: Record<string, string> = {
    "content-type": type,
    "cache-control": "no-store",
  };
  if (status === 405) headers["allow"] = ALLOWED_METHODS;
  const body = encoder.encode(text);
  return {
    response: new Response({
      status,
      reason,
      fields: new ListFields(Object.entries(headers)),
      from: "proxy",
      bodyLength: body.length,
      method: request?.method,
    }),
    body: hasBody(request?.method, status) ? new BytesBody(body) : null,
  };
}

/** What RFC 9110 §15.5.6 wants beside a 405. */
const ALLOWED_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH";

/** The reason phrase of a status; empty for one that has none. */
export function reasonOf(status: number): string {
  return REASONS[status] ?? "";
}

interface FailureFacts {
  readonly status: number;
  readonly reason: string;
  readonly code: string;
  readonly id: string;
}

function failureText(accept: string, facts: FailureFacts): [string, string] {
  const title = `${facts.status} ${facts.reason}`;
  if (/\bapplication\/json\b/i.test(accept)) {
    const { status, reason, code, id } = facts;
    const json = { status, error: reason, code, request: id };
    return ["application/json", JSON.stringify(json) + "\n"];
  }
  if (/\btext\/html\b/i.test(accept)) {
    return [
      "text/html; charset=utf-8",
      `<!doctype html><title>${title}</title><h1>${title}</h1>` +
      `<p>Request ${facts.id}</p>\n`,
    ];
  }
  return ["text/plain; charset=utf-8", `${title}\nRequest ${facts.id}\n`];
}

function fromParts(parts: ResponseParts, method: string | undefined): Made {
  const { status, body } = parts;
  checkStatus(status);
  const fields = new ListFields([]);
  for (const [name, value] of entries(parts.headers)) {
    if (!isFramingField(name)) fields.append(name, value);
  }
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  if (bytes === undefined || bytes instanceof Uint8Array) {
    if (typeof body === "string" && !fields.has("content-type")) {
      fields.set("content-type", "text/plain; charset=utf-8");
    }
    return make(status, fields, bytes ?? NOTHING, undefined, method);
  }
  const stream = bytes instanceof Deno.FsFile ? bytes.readable : bytes;
  return make(status, fields, undefined, stream, method);
}

function fromWeb(
  response: globalThis.Response,
  method: string | undefined,
): Made {
  checkStatus(response.status);
  if (response.bodyUsed) {
    throw new TypeError("Cannot send a Response whose body was used already");
  }
  const fields = new ListFields([]);
  for (const [name, value] of response.headers) {
    if (!isFramingField(name)) fields.append(name, value);
  }
  return response.body === null
    ? make(response.status, fields, NOTHING, undefined, method)
    : make(response.status, fields, undefined, response.body, method);
}

function make(
  status: number,
  fields: ListFields,
  bytes: Uint8Array | undefined,
  stream: ReadableStream<Uint8Array> | undefined,
  method: string | undefined,
): Made {
  const wanted = hasBody(method, status);
  if (!wanted) stream?.cancel().catch(() => {});
  const response = new Response({
    status,
    reason: reasonOf(status),
    fields,
    from: "handler",
    bodyLength: bytes?.length ?? (wanted ? -1 : undefined),
    method,
  });
  const body = !wanted
    ? null
    : bytes !== undefined
    ? new BytesBody(bytes)
    : new StreamBody(stream!);
  return { response, body };
}

function checkStatus(status: number): void {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(
      `Cannot answer with a status outside 200 to 599: current value is ${status}`,
    );
  }
}

function* entries(
  headers: ResponseParts["headers"],
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

const NOTHING = new Uint8Array(0);

/** The reason phrases of RFC 9110 §15 and its extensions. */
const REASONS: Readonly<Record<number, string>> = Object.freeze({
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  508: "Loop Detected",
});
