/**
 * A TCP client that sends what a test says and takes what comes: nothing is
 * made right on the way.
 *
 * @module
 */
import { writeAll } from "./byte_streams.ts";
import { inTime } from "./eventually.ts";
import { latin1Bytes, latin1Text } from "./latin1.ts";
import { parseResponses, type RawResponse } from "./raw_responses.ts";
import { closeQuietly } from "./tcp_backend.ts";

/** One connection; it reads all the time unless `paused`. */
export class RawClient implements Disposable {
  /** Every byte that came. */
  received = "";
  /** The peer ended its direction, or the whole connection. */
  ended = false;
  /** It ended by a reset. */
  reset = false;
  readonly #conn: Deno.TcpConn;
  #wake: (() => void)[] = [];
  #resume: (() => void) | undefined;
  #paused: Promise<void> | undefined;
  readonly #pumping: Promise<void>;

  private constructor(conn: Deno.TcpConn, paused: boolean) {
    this.#conn = conn;
    if (paused) this.pause();
    this.#pumping = this.#pump();
  }

  /** Connects to a port of 127.0.0.1; `paused` reads nothing until `resume`. */
  static async connect(
    port: number,
    { paused = false }: { readonly paused?: boolean } = {},
  ): Promise<RawClient> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return new RawClient(conn, paused);
  }

  /** Sends one byte a character. False where the peer takes no more. */
  async send(bytes: string | Uint8Array): Promise<boolean> {
    try {
      await writeAll(
        this.#conn,
        typeof bytes === "string" ? latin1Bytes(bytes) : bytes,
      );
      return true;
    } catch {
      // A proxy that has answered and closed need not take the rest; what it
      // answered is what tests look at.
      return false;
    }
  }

  /** Ends our direction. */
  async halfClose(): Promise<void> {
    try {
      await this.#conn.closeWrite();
    } catch {
      // The peer is gone already: `ended` says so.
    }
  }

  /** Reads no more from the next read on. */
  pause(): void {
    this.#paused ??= new Promise((resolve) => this.#resume = resolve);
  }

  resume(): void {
    this.#paused = undefined;
    this.#resume?.();
  }

  /** Resolves to true when `holds` does, to false when the connection ended before. Rejects after a generous time. */
  until(what: string, holds: () => boolean): Promise<boolean> {
    return inTime(what, this.#until(holds));
  }

  /** Resolves when the peer has ended its direction. */
  async end(): Promise<void> {
    await this.until("the connection's end", () => false);
  }

  /** Waits for so many complete final responses and gives all responses so far. */
  async responses(
    count: number,
    methods: readonly string[] = [],
  ): Promise<readonly RawResponse[]> {
    const finals = () =>
      this.parse(methods).filter(({ status, complete }) =>
        complete && (status >= 200 || status === 101)
      ).length;
    await this.until(`${count} responses`, () => finals() >= count);
    return this.parse(methods);
  }

  /** The next final response alone, which must be whole; what came before it is forgotten. */
  async response(method = "GET"): Promise<RawResponse> {
    const all = await this.responses(1, [method]);
    const response = all.find(({ status, complete }) =>
      complete && (status >= 200 || status === 101)
    );
    if (response === undefined) {
      throw new Error(`The connection ended after: ${this.received}`);
    }
    this.received = parseResponses(this.received, [method]).rest;
    return response;
  }

  /** All responses so far. */
  parse(methods: readonly string[] = []): readonly RawResponse[] {
    return parseResponses(this.received, methods).responses;
  }

  close(): void {
    this.resume();
    closeQuietly(this.#conn);
  }

  /** Resolves when nothing of it is left. */
  async closed(): Promise<void> {
    this.close();
    await this.#pumping;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #until(holds: () => boolean): Promise<boolean> {
    while (!holds()) {
      if (this.ended) return false;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    return true;
  }

  async #pump(): Promise<void> {
    const buffer = new Uint8Array(64 << 10);
    try {
      for (;;) {
        if (this.#paused !== undefined) await this.#paused;
        const count = await this.#conn.read(buffer);
        if (count === null) break;
        this.received += latin1Text(buffer.subarray(0, count));
        this.#notify();
      }
    } catch (thrown) {
      this.reset = thrown instanceof Deno.errors.ConnectionReset;
    }
    this.ended = true;
    this.#notify();
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
