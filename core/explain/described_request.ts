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
  /** Default GET. */
  readonly method?: string | undefined;
  /** Field lines. A Host stands instead of the URL's. */
  readonly headers?: readonly (readonly [string, string])[] | undefined;
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
  { method = "GET", headers = [] }: DescribedRequest,
  { authority, target }: DescribedUrl,
  limits: RequestLimits,
): Http1RequestHead {
  const hasHost = headers.some(([name]) => name.toLowerCase() === "host");
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...hasHost ? [] : [`Host: ${authority}`],
    ...headers.map(([name, value]) => `${name}: ${value}`),
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
  return head;
}

function refuse(message: string): never {
  throw new DescriptionError(message);
}
