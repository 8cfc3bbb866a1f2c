/**
 * A client that speaks HTTP/1.1 over a connection of its own: tests see which
 * connection a response came on, and when that ended.
 *
 * @module
 */
import type { ByteConn } from "../../core/net/byte_conn.ts";
import { bytesOf, textOf, writeAll } from "./byte_streams.ts";

/** A response that was read whole. */
export interface ClientResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly text: string;
}

/** One connection. */
export class HttpClient implements Disposable {
  readonly conn: ByteConn;
  #held = new Uint8Array(0);
  #closed = false;

  constructor(conn: ByteConn) {
    this.conn = conn;
  }

  /** Connects to a port of 127.0.0.1, or as said. */
  static async connect(
    to: number | Deno.ConnectOptions | Deno.UnixConnectOptions,
  ): Promise<HttpClient> {
    if (typeof to === "number") {
      return new HttpClient(
        await Deno.connect({ hostname: "127.0.0.1", port: to }),
      );
    }
    return new HttpClient(
      "path" in to ? await Deno.connect(to) : await Deno.connect(to),
    );
  }

  /** Sends bytes as they are. */
  async send(bytes: string | Uint8Array): Promise<void> {
    await writeAll(
      this.conn,
      typeof bytes === "string" ? bytesOf(bytes) : bytes,
    );
  }

  /** Sends a request without a body and reads its response. */
  async get(path = "/", host = "localhost"): Promise<ClientResponse> {
    await this.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    return await this.response();
  }

  /** Reads the next response. Rejects where the connection ends before. */
  async response(
    { head = false }: { readonly head?: boolean } = {},
  ): Promise<ClientResponse> {
    const text = textOf(await this.#until("\r\n\r\n"));
    const [statusLine = "", ...lines] = text.slice(0, -4).split("\r\n");
    const match = /^HTTP\/1\.1 (\d{3}) /.exec(statusLine);
    if (match === null) throw new Error(`Not a status line: ${statusLine}`);
    const status = Number(match[1]);
    const headers = new Headers(lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }));
    const bodiless = head || status < 200 || status === 204 || status === 304;
    const body = bodiless ? new Uint8Array(0) : await this.#body(headers);
    return { status, headers, body, text: textOf(body) };
  }

  /** Resolves when the peer has ended its direction; rejects where bytes come before. */
  async end(): Promise<void> {
    if (this.#held.length > 0 || await this.#more()) {
      throw new Error(`Unexpected bytes: ${textOf(this.#held)}`);
    }
  }

  /** Whether the peer ends, by FIN or reset. */
  async ended(): Promise<boolean> {
    try {
      return !await this.#more();
    } catch {
      // A reset is an end too.
      return true;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #body(headers: Headers): Promise<Uint8Array> {
    if (headers.get("transfer-encoding") === "chunked") {
      return await this.#chunks();
    }
    const length = headers.get("content-length");
    if (length !== null) return await this.#exactly(Number(length));
    while (await this.#more()) { /* to the end */ }
    return this.#take(this.#held.length);
  }

  async #chunks(): Promise<Uint8Array> {
    const pieces: number[] = [];
    for (;;) {
      const line = textOf(await this.#until("\r\n"));
      const size = parseInt(line, 16);
      if (Number.isNaN(size)) throw new Error(`Not a chunk's size: ${line}`);
      for (const byte of await this.#exactly(size)) pieces.push(byte);
      if (textOf(await this.#exactly(2)) !== "\r\n") {
        throw new Error("A chunk without its end");
      }
      if (size === 0) return new Uint8Array(pieces);
    }
  }

  async #until(mark: string): Promise<Uint8Array> {
    for (;;) {
      const at = textOf8(this.#held).indexOf(mark);
      if (at >= 0) return this.#take(at + mark.length);
      if (!await this.#more()) {
        throw new Error(`The connection ended after: ${textOf(this.#held)}`);
      }
    }
  }

  async #exactly(length: number): Promise<Uint8Array> {
    if (this.#held.length < length) {
      const all = new Uint8Array(length);
      all.set(this.#held);
      let at = this.#held.length;
      this.#held = new Uint8Array(0);
      while (at < length) {
        const count = await this.conn.read(all.subarray(at));
        if (count === null) {
          throw new Error(`The connection ended after ${at} of ${length}`);
        }
        at += count;
      }
      return all;
    }
    return this.#take(length);
  }

  async #more(): Promise<boolean> {
    const buffer = new Uint8Array(16 << 10);
    const count = await this.conn.read(buffer);
    if (count === null) return false;
    const held = new Uint8Array(this.#held.length + count);
    held.set(this.#held);
    held.set(buffer.subarray(0, count), this.#held.length);
    this.#held = held;
    return true;
  }

  #take(length: number): Uint8Array {
    const taken = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return taken;
  }
}

/** One character a byte: places in the text are places in the bytes. */
function textOf8(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
