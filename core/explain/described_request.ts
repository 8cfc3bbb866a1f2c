/**
 * A request that was never sent: how it is described, and its bytes as a client
 * would send them, so that traffic's own parser reads it.
 *
 * @module
 */
import { isIP } from "node:net";
import { checkBodyLength } from "../http1/body_readers.ts";
import type { RequestLimits } from "../http1/client_connection.ts";
import { HeadIndex } from "../http1/head_index.ts";
import { Http1RequestHead } from "../http1/request_head.ts";
import { parseRequestHead } from "../http1/request_parser.ts";

/** A request in words. */
export interface DescribedRequest {
  /** Absolute: `http:`, `https:` or, for a tcp listener, `tcp:`. */
  readonly url: string;
  /** Default GET, with a body POST. */
  readonly method?: string | undefined;
  /** Field lines. A Host stands instead of the URL's. */
  readonly headers?: readonly (readonly [string, string])[] | undefined;
  /** Its body; its length is said where `headers` don't say how it is framed. */
  readonly body?: string | undefined;
  /** The address that the connection comes from. Default 127.0.0.1. */
  readonly client?: string | undefined;
  /** The listener's name; left out = found by the URL. */
  readonly listener?: string | undefined;
}

/** A description that describes no request. */
export class DescriptionError extends Error {
  override readonly name = "DescriptionError";
}

/** A URL in the parts that a client makes of it; the target as it is written. */
export interface DescribedUrl {
  readonly scheme: "http" | "https" | "tcp";
  /** With the port, as in a Host field. */
  readonly authority: string;
  /** Without brackets. */
  readonly hostname: string;
  readonly port: number;
  readonly target: string;
}

/** What a client makes of a URL. Throws a {@linkcode DescriptionError}. */
export function readUrl(text: string): DescribedUrl {
  const [, scheme, written = "", rest = ""] =
    /^(https?|tcp):\/\/([^/?#]+)([^#]*)/i.exec(text) ?? [];
  const asHttp = text.replace(/^tcp:/i, "http:");
  if (scheme === undefined || !URL.canParse(asHttp)) {
    refuse(
      `Cannot explain the URL as it must be http://, https:// or tcp:// and a host: current value is ${
        JSON.stringify(text)
      }`,
    );
  }
  if (written.includes("@")) {
    refuse("Cannot explain the URL as it must have no user or password");
  }
  const kind = scheme.toLowerCase() as DescribedUrl["scheme"];
  const [port] = /:\d+$/.exec(written) ?? [];
  if (port === undefined && kind === "tcp") {
    refuse("Cannot explain the URL as tcp:// must have a port");
  }
  const { hostname } = new URL(asHttp);
  return {
    scheme: kind,
    // A name of other letters is sent in ASCII; everything else as it stands.
    authority: /^[\x21-\x7e]*$/.test(written)
      ? written
      : `${hostname}${port ?? ""}`,
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === undefined
      ? kind === "https" ? 443 : 80
      : Number(port.slice(1)),
    target: rest.startsWith("/") ? rest : `/${rest}`,
  };
}

/** The client's address. Throws a {@linkcode DescriptionError}. */
export function readClient({ client = "127.0.0.1" }: DescribedRequest): string {
  if (isIP(client) === 0) {
    refuse(
      `Cannot explain the client as it must be an IP address: current value is ${
        JSON.stringify(client)
      }`,
    );
  }
  return client;
}

/**
 * The head as traffic would read it. Throws a {@linkcode DescriptionError} where
 * no client could send it as one request, else the ProxyError that refuses it.
 */
export function readHead(
  described: DescribedRequest,
  { authority, target }: DescribedUrl,
  limits: RequestLimits,
): Http1RequestHead {
  const { headers = [] } = described;
  const body = readBody(described);
  const { method = body === undefined ? "GET" : "POST" } = described;
  const has = (wanted: string) =>
    headers.some(([name]) => name.toLowerCase() === wanted);
  const isFramed = has("content-length") || has("transfer-encoding");
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...has("host") ? [] : [`Host: ${authority}`],
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...body === undefined || isFramed ? [] : [`Content-Length: ${body.length}`],
  ];
  if (lines.some((line) => /[\r\n]/.test(line))) {
    refuse("Cannot explain a request with a line break in a line of its head");
  }
  const bytes = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
  const index = new HeadIndex(limits.headers);
  const end = parseRequestHead(bytes, 0, bytes.length, limits, index);
  if (end !== bytes.length) throw new Error("The head did not end with itself");
  const head = new Http1RequestHead(bytes, index);
  checkBodyLength(head.bodyLength, limits.bodyBytes);
  if (
    body !== undefined && head.bodyLength >= 0 &&
    head.bodyLength !== body.length
  ) {
    refuse(
      `Cannot explain a request whose Content-Length is not its body's ${body.length} bytes`,
    );
  }
  return head;
}

/** The body's bytes; undefined where it is not described. */
export function readBody(
  { body }: DescribedRequest,
): Uint8Array<ArrayBuffer> | undefined {
  return body === undefined ? undefined : new TextEncoder().encode(body);
}

function refuse(message: string): never {
  throw new DescriptionError(message);
}
