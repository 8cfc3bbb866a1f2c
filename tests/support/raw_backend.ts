/**
 * A TCP origin that plays a script, as http1_cases.json's `about` describes it,
 * and remembers every byte it got.
 *
 * @module
 */
import { writeAll } from "./byte_streams.ts";
import type { Identity } from "./certificates.ts";
import { latin1Bytes, latin1Text } from "./latin1.ts";
import { parseRequest, type RawRequest } from "./raw_requests.ts";
import { serveTcpBackend } from "./tcp_backend.ts";

/** One reply: bytes as latin1, or with what else happens. */
export type RawReply = string | {
  /** Sent once the request is complete. */
  readonly data?: string;
  /** As `data`, and the connection closes behind it. */
  readonly close?: string;
  /** Seconds to wait before. */
  readonly delay?: number;
  /** Sends as soon as the request's head is there. */
  readonly early?: boolean;
  /** Sent after an early `data`, once the request is complete. */
  readonly then?: string;
  /** From here on every piece that comes is sent back behind `E:`. */
  readonly echo?: boolean;
  /** Does nothing more on this connection. */
  readonly hang?: boolean;
};

/** What it answers: 200 to all, a reply per request of which the last one repeats, or nothing listens. */
export type RawScript = null | "down" | readonly RawReply[];

/** One connection of the proxy. */
export interface RawConnection {
  /** Every byte that came on it. */
  readonly received: string;
  readonly requests: readonly RawRequest[];
  /** The proxy ended its direction, or the connection is over. */
  readonly ended: boolean;
  /** Sends what no script foresees. */
  send(text: string): Promise<void>;
}

/** A listening, or purposely not listening, backend. */
export interface RawBackend extends AsyncDisposable {
  /** As a config names it. */
  readonly url: string;
  readonly port: number;
  readonly connections: readonly RawConnection[];
  /** Requests of all connections, each connection's in order. */
  readonly requests: readonly RawRequest[];
  /** Every byte that came, one connection after another. */
  readonly received: string;
}

/** Options of a start. */
export interface RawBackendOptions {
  /** How what is sent is cut: one write a piece. */
  readonly pieces?: (bytes: Uint8Array) => readonly Uint8Array[];
  /** Who it is in TLS; without it speaks plain HTTP. */
  readonly identity?: Identity;
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Starts it at a free port of 127.0.0.1. */
export function serveRaw(
  script: RawScript = null,
  options: RawBackendOptions = {},
): RawBackend {
  const connections: Connection[] = [];
  const replies = script === "down" ? [] : script ?? [OK];
  let answered = 0;
  const nextReply = () => replies[Math.min(answered++, replies.length - 1)]!;
  const backend = serveTcpBackend(async (conn) => {
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
    const connection = new Connection(conn, options);
    connections.push(connection);
    await connection.play(nextReply);
  }, options.identity === undefined ? {} : { identity: options.identity });
  const stopped = script === "down"
    ? backend[Symbol.asyncDispose]()
    : undefined;
  return {
    // A port that was given back may be somebody else's soon: at this address nobody listens.
    url: `${options.identity ? "https" : "http"}://${
      script === "down" ? "127.0.0.77" : "127.0.0.1"
    }:${backend.port}`,
    port: backend.port,
    connections,
    get requests() {
      return connections.flatMap(({ requests }) => requests);
    },
    get received() {
      return connections.map(({ received }) => received).join("");
    },
    [Symbol.asyncDispose]: () => stopped ?? backend[Symbol.asyncDispose](),
  };
}

class Connection implements RawConnection {
  received = "";
  ended = false;
  readonly #conn: Deno.Conn;
  readonly #options: RawBackendOptions;
  readonly #buffer = new Uint8Array(64 << 10);
  /** Where the requests begin that were taken. */
  readonly #starts: number[] = [];
  #at = 0;

  constructor(conn: Deno.Conn, options: RawBackendOptions) {
    this.#conn = conn;
    this.#options = options;
  }

  get requests(): readonly RawRequest[] {
    return this.#starts.map((start) => parseRequest(this.received, start)!);
  }

  async play(nextReply: () => RawReply): Promise<void> {
    try {
      while (await this.#head()) {
        this.#starts.push(this.#at);
        const reply = nextReply();
        const parts = typeof reply === "string" ? { data: reply } : reply;
        if (parts.early === true) await this.send(parts.data ?? "");
        // After 101 what comes is no request any more.
        if (parts.echo === true) return await this.#echo(parts.data ?? "");
        if (!await this.#body()) return;
        if (parts.delay !== undefined) await pause(parts.delay);
        if (parts.early !== true) {
          await this.send(parts.close ?? parts.data ?? "");
        } else if (parts.then !== undefined) {
          await this.send(parts.then);
        }
        if (parts.hang === true) return await this.#drain();
        if (parts.close !== undefined) return;
      }
    } finally {
      this.ended = true;
    }
  }

  async #head(): Promise<boolean> {
    while (parseRequest(this.received, this.#at) === undefined) {
      if (!await this.#read()) return false;
    }
    return true;
  }

  /** Reads the request to its end; false where the proxy ends before. */
  async #body(): Promise<boolean> {
    for (;;) {
      const request = parseRequest(this.received, this.#at)!;
      if (request.complete) {
        this.#at = request.end;
        return true;
      }
      if (!await this.#read()) return false;
    }
  }

  async #echo(data: string): Promise<void> {
    await this.send(data);
    let at = this.received.indexOf("\r\n\r\n", this.#at) + 4;
    do {
      if (at < this.received.length) {
        await this.send(`E:${this.received.slice(at)}`);
        at = this.received.length;
      }
    } while (await this.#read());
    await this.#conn.closeWrite();
  }

  async #drain(): Promise<void> {
    while (await this.#read()) { /* to the end */ }
  }

  async send(text: string): Promise<void> {
    const bytes = latin1Bytes(text);
    for (const piece of this.#options.pieces?.(bytes) ?? [bytes]) {
      await writeAll(this.#conn, piece);
    }
  }

  async #read(): Promise<boolean> {
    const count = await this.#conn.read(this.#buffer);
    if (count === null) {
      this.ended = true;
      return false;
    }
    this.received += latin1Text(this.#buffer.subarray(0, count));
    return true;
  }
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
