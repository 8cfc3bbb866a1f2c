/**
 * A WebSocket backend of the runtime's own, whose connections a test can end in
 * every way.
 *
 * @module
 */
import type { Identity } from "./certificates.ts";

/** One connection of a backend. */
export interface BackendSocket {
  readonly socket: WebSocket;
  /** The fields of its handshake. */
  readonly headers: Headers;
  /** The target of its handshake. */
  readonly target: string;
  /** Messages that it got. */
  readonly got: string[];
}

/** A backend that answers every message with its name before it. */
export interface WebSocketBackend extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Its connections, also those that are over. */
  readonly connections: readonly BackendSocket[];
  /** What a handshake is answered with instead; undefined for a WebSocket. */
  refuse: ((request: Request) => Response) | undefined;
}

/** Starts it. */
export function serveWebSocket(
  name: string,
  options: {
    readonly hostname?: string;
    readonly port?: number;
    readonly protocol?: string;
    readonly headers?: Record<string, string>;
    /** What a message is answered with; null for nothing. */
    readonly answer?: (message: string) => string | null;
    /** Who it is in TLS; without it speaks plain TCP. */
    readonly identity?: Identity;
  } = {},
): WebSocketBackend {
  const { hostname = "127.0.0.1" } = options;
  const connections: BackendSocket[] = [];
  const answer = options.answer ?? ((message: string) => `${name}:${message}`);
  const controller = new AbortController();
  const server = Deno.serve({
    port: options.port ?? 0,
    hostname,
    signal: controller.signal,
    ...options.identity,
    onListen: () => {},
  }, (request) => {
    if (backend.refuse !== undefined) return backend.refuse(request);
    if (!request.headers.has("upgrade")) return new Response(name);
    // The upgrade takes the request away.
    const headers = new Headers(request.headers);
    const { pathname, search } = new URL(request.url);
    const { socket, response } = Deno.upgradeWebSocket(request, {
      ...(options.protocol !== undefined && { protocol: options.protocol }),
      idleTimeout: 0,
    });
    for (const [key, value] of Object.entries(options.headers ?? {})) {
      response.headers.set(key, value);
    }
    const got: string[] = [];
    connections.push({ socket, headers, target: pathname + search, got });
    socket.onmessage = ({ data }) => {
      got.push(data);
      const said = answer(data);
      if (said !== null) socket.send(said);
    };
    socket.onerror = () => {};
    return response;
  });
  const backend: WebSocketBackend = {
    url: `${
      options.identity ? "wss" : "http"
    }://${hostname}:${server.addr.port}`,
    port: server.addr.port,
    connections,
    refuse: undefined,
    async [Symbol.asyncDispose]() {
      if (controller.signal.aborted) return;
      for (const { socket } of connections) {
        if (socket.readyState <= WebSocket.OPEN) socket.close();
      }
      controller.abort();
      await server.finished;
    },
  };
  return backend;
}

/** A client that remembers what it got. */
export class WebSocketClient implements AsyncDisposable {
  readonly got: string[] = [];
  readonly socket: WebSocket;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #opened: Promise<void>;
  #wake: (() => void) | undefined;

  constructor(url: string, protocols: string | string[] = []) {
    this.socket = new WebSocket(url.replace(/^http/, "ws"), protocols);
    const opened = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<{ code: number; reason: string }>();
    this.#opened = opened.promise;
    this.closed = closed.promise;
    this.#opened.catch(() => {});
    this.socket.onopen = () => opened.resolve();
    this.socket.onerror = () => opened.reject(new Error("not opened"));
    this.socket.onmessage = ({ data }) => {
      this.got.push(data);
      this.#wake?.();
    };
    this.socket.onclose = ({ code, reason }) => {
      opened.reject(new Error(`closed with ${code}`));
      closed.resolve({ code, reason });
    };
  }

  /** Connects. Rejects where the handshake fails. */
  static async open(
    url: string,
    protocols?: string | string[],
  ): Promise<WebSocketClient> {
    const client = new WebSocketClient(url, protocols);
    await client.#opened;
    return client;
  }

  send(message: string): void {
    this.socket.send(message);
  }

  /** Waits until it has so many messages; all of them. */
  async until(count: number): Promise<string[]> {
    while (this.got.length < count) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.got;
  }

  /** Sends one and waits for the next that comes. */
  async ask(message: string): Promise<string> {
    const count = this.got.length + 1;
    this.send(message);
    return (await this.until(count))[count - 1]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.readyState <= WebSocket.OPEN) this.socket.close();
    await this.closed;
  }
}
