/**
 * An HTTP/1.1 backend whose every byte a test decides.
 *
 * @module
 */
import { textOf, writeAll } from "./byte_streams.ts";
import { bytesOf } from "./byte_streams.ts";
import { serveTcpBackend, type TcpBackendAddress } from "./tcp_backend.ts";

/** A request as it came. */
export interface ScriptedRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Headers;
}

/** One connection of the proxy. */
export class ScriptedConnection {
  /** Its place among the connections, from 1. */
  readonly number: number;
  readonly #conn: Deno.Conn;
  #held = "";

  constructor(conn: Deno.Conn, number: number) {
    this.#conn = conn;
    this.number = number;
  }

  /** The next request's head, undefined where the proxy ended the connection. */
  async request(): Promise<ScriptedRequest | undefined> {
    let end: number;
    while ((end = this.#held.indexOf("\r\n\r\n")) < 0) {
      if (!await this.#more()) return undefined;
    }
    const [line = "", ...fields] = this.#held.slice(0, end).split("\r\n");
    this.#held = this.#held.slice(end + 4);
    const [method = "", target = ""] = line.split(" ");
    const headers = new Headers(fields.map((field): [string, string] => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon), field.slice(colon + 1).trim()];
    }));
    return { method, target, headers };
  }

  /** So many bytes of a body. Rejects where the proxy ends before. */
  async body(length: number): Promise<string> {
    while (this.#held.length < length) {
      if (!await this.#more()) throw new Error("The body ended early");
    }
    const body = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return body;
  }

  async send(text: string): Promise<void> {
    await writeAll(this.#conn, bytesOf(text));
  }

  /** A response with a body of known length. */
  async respond(status: number, body = ""): Promise<void> {
    await this.send(
      `HTTP/1.1 ${status} Scripted\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  }

  /** Resolves when the proxy has ended its direction or reset. */
  async ended(): Promise<void> {
    try {
      while (await this.#more()) { /* to the end */ }
    } catch {
      // A reset is an end too.
    }
  }

  async #more(): Promise<boolean> {
    const buffer = new Uint8Array(16 << 10);
    const count = await this.#conn.read(buffer);
    if (count === null) return false;
    this.#held += textOf(buffer.subarray(0, count));
    return true;
  }
}

/** A listening backend. */
export interface ScriptedBackend extends AsyncDisposable {
  /** As a config names it. */
  readonly url: string;
  /** Connections taken so far. */
  readonly accepted: number;
}

/** Plays `script` on each connection, then closes it. */
export function serveScript(
  script: (connection: ScriptedConnection) => Promise<void>,
  address: TcpBackendAddress = { hostname: "127.0.0.1" },
): ScriptedBackend {
  let number = 0;
  const backend = serveTcpBackend(
    (conn) => script(new ScriptedConnection(conn, ++number)),
    address,
  );
  return {
    url: backend.url.replace(/^tcp:/, "http:"),
    get accepted() {
      return backend.accepted;
    },
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  };
}

/** Answers each request of every connection. */
export function serveEach(
  answer: (
    connection: ScriptedConnection,
    request: ScriptedRequest,
  ) => Promise<void>,
  address?: TcpBackendAddress,
): ScriptedBackend {
  return serveScript(async (connection) => {
    for (;;) {
      const request = await connection.request();
      if (request === undefined) return;
      await answer(connection, request);
    }
  }, address);
}
