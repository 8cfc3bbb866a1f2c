/**
 * Messages between two processes: one JSON text a line.
 *
 * @module
 */

/** Bytes of a message at most. */
const MAX_BYTES = 64 * 1024;

/** One end of a connection. */
export class LineChannel implements Disposable {
  readonly #conn: Deno.Conn;
  #rest = "";
  #closed = false;
  readonly #decoder = new TextDecoder();

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Rejects where the other end is gone. */
  async send(message: unknown): Promise<void> {
    const bytes = new TextEncoder().encode(`${JSON.stringify(message)}\n`);
    for (let at = 0; at < bytes.length;) {
      at += await this.#conn.write(bytes.subarray(at));
    }
  }

  /** The next message; undefined where the other end is gone. Rejects where that sends no JSON. */
  async receive(): Promise<unknown> {
    const buffer = new Uint8Array(4_096);
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end !== -1) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return JSON.parse(line);
      }
      if (this.#rest.length > MAX_BYTES) {
        throw new RangeError(`A message has more than ${MAX_BYTES} bytes`);
      }
      const count = await this.#read(buffer);
      if (count === null) return undefined;
      this.#rest += this.#decoder.decode(buffer.subarray(0, count), {
        stream: true,
      });
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  async #read(buffer: Uint8Array): Promise<number | null> {
    try {
      return await this.#conn.read(buffer);
    } catch (thrown) {
      // Closed here or reset there: gone either way.
      if (this.#closed || thrown instanceof Deno.errors.ConnectionReset) {
        return null;
      }
      throw thrown;
    }
  }
}
