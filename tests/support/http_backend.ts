/**
 * HTTP backends for tests.
 *
 * @module
 */

/** A listening backend. */
export interface HttpBackend extends AsyncDisposable {
  /** As a config names it. */
  readonly url: string;
  readonly port: number;
  /** Requests taken so far. */
  readonly requests: number;
}

/** Serves HTTP at a free port of 127.0.0.1. */
export function serveHttpBackend(
  handle: (request: Request) => Response | Promise<Response>,
): HttpBackend {
  let requests = 0;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      requests++;
      return handle(request);
    },
  );
  const { port } = server.addr;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    get requests() {
      return requests;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
