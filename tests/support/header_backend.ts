/**
 * An HTTP backend whose connections begin with a PROXY header: it tells which
 * header each request's connection began with.
 *
 * @module
 */
import type { ProxyHeader } from "../../core/proxy_protocol/header.ts";
import { readHeader } from "../../core/proxy_protocol/read.ts";
import { bytesOf, writeAll } from "./byte_streams.ts";
import { latin1Text } from "./latin1.ts";
import { parseRequest } from "./raw_requests.ts";
import { serveTcpBackend } from "./tcp_backend.ts";

/** A connection of the proxy. */
export interface HeaderConnection {
  readonly header: ProxyHeader;
  /** Heads of the requests that came on it. */
  readonly requests: readonly string[];
}

/** A listening backend. */
export interface HeaderBackend extends AsyncDisposable {
  /** As a config names it. */
  readonly url: string;
  /** Connections whose header was read, in the order of that. */
  readonly connections: readonly HeaderConnection[];
}

/** Answers each request with the address and port of its connection's header, `own` where that names nobody. */
export function serveBehindHeader(): HeaderBackend {
  const connections: HeaderConnection[] = [];
  const backend = serveTcpBackend(async (conn) => {
    const buffer = new Uint8Array(64 << 10);
    let end = 0;
    const more = async () => {
      const count = await conn.read(buffer.subarray(end));
      end += count ?? 0;
      return count !== null;
    };
    let read = readHeader(buffer, 0, end);
    while (read === undefined) {
      if (!await more()) return;
      read = readHeader(buffer, 0, end);
    }
    const requests: string[] = [];
    connections.push({ header: read.header, requests });
    const answer = answerTo(read.header);
    for (let at = read.end;;) {
      const request = parseRequest(latin1Text(buffer.subarray(0, end)), at);
      if (request === undefined) {
        if (!await more()) return;
        continue;
      }
      requests.push(request.head);
      at = request.end;
      await writeAll(conn, answer);
    }
  });
  return {
    url: `http://127.0.0.1:${backend.port}`,
    connections,
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  };
}

function answerTo({ ends }: ProxyHeader): Uint8Array {
  const body = ends === undefined
    ? "own"
    : `${ends.source.address} ${ends.source.port}`;
  return bytesOf(
    `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}
