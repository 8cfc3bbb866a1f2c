/**
 * A backend that tells its name and keeps what it was asked.
 *
 * @module
 */
import { type ScriptedRequest, serveEach } from "./scripted_backend.ts";

/** A listening backend. */
export interface NamedBackend extends AsyncDisposable {
  /** As a config names it. */
  readonly url: string;
  /** Requests that came, without their bodies. */
  readonly asked: readonly ScriptedRequest[];
}

/** Answers every request with 200, its name of one letter as X-Backend and body. */
export function serveNamed(name: string): NamedBackend {
  const asked: ScriptedRequest[] = [];
  const backend = serveEach(async (connection, request) => {
    asked.push(request);
    await connection.body(Number(request.headers.get("content-length") ?? 0));
    await connection.send(
      `HTTP/1.1 200 Fine\r\nX-Backend: ${name}\r\nContent-Length: 1\r\n\r\n${
        request.method === "HEAD" ? "" : name
      }`,
    );
  });
  return {
    url: backend.url,
    asked,
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  };
}
