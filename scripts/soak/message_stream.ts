/**
 * HTTP/1.1 messages over any connection, for both ends of the soak: bodies flow
 * by, none is kept, and an end before the end is told from an end.
 *
 * @module
 */

/** What of Deno's connections is needed. */
export interface ByteStream {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite?(): Promise<void>;
  close(): void;
}

/** The connection ended or broke in the midst of something. */
export class CutError extends Error {
  override readonly name = "CutError";
}

/** What came is no HTTP. */
export class NotHttpError extends Error {
  override readonly name = "NotHttpError";
}

/** A head; names in lower case, those that come twice are joined by a comma. */
export interface Head {
  /** The request line or status line. */
  readonly first: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** Where a body ends. */
export type Framing = number | "chunked" | "close";

/** Takes a piece of a body, valid within the call only; what it returns is waited for. */
export type Sink = (piece: Uint8Array) => Promise<void> | void;

const READ = 64 << 10;
const MAX_HEAD = 32 << 10;

const decoder = new TextDecoder("latin1");
const encoder = new TextEncoder();

/** One connection. */
export class MessageStream {
  readonly conn: ByteStream;
  #bytes = new Uint8Array(4 << 10);
  #start = 0;
  #end = 0;
  #closed = false;

  constructor(conn: ByteStream) {
    this.conn = conn;
  }

  /** Bytes that came and that nobody read yet. */
  get held(): number {
    return this.#end - this.#start;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Closes it, once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.conn.close();
  }

  /** Writes all of it. Rejects with a CutError. */
  async write(bytes: string | Uint8Array): Promise<void> {
    const all = typeof bytes === "string" ? encoder.encode(bytes) : bytes;
    for (let at = 0; at < all.length;) {
      at += await cutting(
        this.conn.write(at === 0 ? all : all.subarray(at)),
        "in a write",
      );
    }
  }

  /** The next head; undefined where the connection ended in order before its first byte. */
  async head(): Promise<Head | undefined> {
    for (;;) {
      const end = this.#headEnd();
      if (end >= 0) {
        const text = decoder.decode(this.#bytes.subarray(this.#start, end));
        this.#start = end + 4;
        return parseHead(text);
      }
      if (this.held > MAX_HEAD) throw new NotHttpError("An endless head");
      const before = this.held;
      if (await this.#more("in a head")) continue;
      if (before === 0) return undefined;
      throw new CutError("The connection ended in a head");
    }
  }

  /** Reads a body to its end; its bytes. Rejects with a CutError where it ends before. */
  async body(framing: Framing, sink: Sink): Promise<number> {
    if (framing === "chunked") return await this.#chunks(sink);
    if (framing !== "close") {
      await this.#pass(framing, sink);
      return framing;
    }
    let count = 0;
    for (;;) {
      if (this.held > 0) {
        count += this.held;
        await this.#give(this.held, sink);
      }
      if (!await this.#more("in a body up to the end")) return count;
    }
  }

  /** Whether the peer ended in order; false for more bytes. Rejects with a CutError for a reset. */
  async ended(): Promise<boolean> {
    return this.held === 0 && !await this.#more("after the last message");
  }

  async #chunks(sink: Sink): Promise<number> {
    let count = 0;
    for (;;) {
      const line = await this.#line();
      if (!/^[0-9a-fA-F]{1,8}(;.*)?$/.test(line)) {
        throw new NotHttpError(`No chunk's size: ${JSON.stringify(line)}`);
      }
      const size = parseInt(line, 16);
      if (size === 0) break;
      await this.#pass(size, sink);
      count += size;
      if (await this.#line() !== "") {
        throw new NotHttpError("A chunk without its end");
      }
    }
    while (await this.#line() !== "") { /* trailers */ }
    return count;
  }

  async #pass(length: number, sink: Sink): Promise<void> {
    for (let left = length; left > 0;) {
      if (this.held === 0 && !await this.#more("in a body")) {
        throw new CutError(`${left} of ${length} bytes of a body are missing`);
      }
      const count = Math.min(this.held, left);
      await this.#give(count, sink);
      left -= count;
    }
  }

  async #give(count: number, sink: Sink): Promise<void> {
    const piece = this.#bytes.subarray(this.#start, this.#start + count);
    this.#start += count;
    const taken = sink(piece);
    if (taken !== undefined) await taken;
  }

  async #line(): Promise<string> {
    for (;;) {
      const at = this.#bytes.subarray(0, this.#end).indexOf(10, this.#start);
      if (at >= 0) {
        const line = decoder.decode(this.#bytes.subarray(this.#start, at));
        this.#start = at + 1;
        return line.endsWith("\r") ? line.slice(0, -1) : line;
      }
      if (this.held > MAX_HEAD) throw new NotHttpError("An endless line");
      if (!await this.#more("in a line")) {
        throw new CutError("The connection ended in a line");
      }
    }
  }

  #headEnd(): number {
    const bytes = this.#bytes;
    for (let i = this.#start; i + 3 < this.#end; i++) {
      if (
        bytes[i] === 13 && bytes[i + 1] === 10 && bytes[i + 2] === 13 &&
        bytes[i + 3] === 10
      ) return i;
    }
    return -1;
  }

  /** Reads on; false at the end. */
  async #more(where: string): Promise<boolean> {
    if (this.#start === this.#end) {
      // Whoever gets much reads in large pieces.
      if (this.#end === this.#bytes.length && this.#end < READ) {
        this.#bytes = new Uint8Array(READ);
      }
      this.#start = this.#end = 0;
    } else if (this.#end === this.#bytes.length) {
      if (this.#start > 0) {
        this.#bytes.copyWithin(0, this.#start, this.#end);
      } else {
        const larger = new Uint8Array(2 * this.#bytes.length);
        larger.set(this.#bytes);
        this.#bytes = larger;
      }
      this.#end -= this.#start;
      this.#start = 0;
    }
    const count = await cutting(
      this.conn.read(this.#bytes.subarray(this.#end)),
      where,
    );
    if (count === null) return false;
    this.#end += count;
    return true;
  }
}

/** Errors of a connection become CutErrors, others stay. */
async function cutting<T>(done: Promise<T>, where: string): Promise<T> {
  try {
    return await done;
  } catch (thrown) {
    if (!isCut(thrown)) throw thrown;
    throw new CutError(`The connection broke ${where}: ${thrown}`);
  }
}

/** Whether it says that a connection is over. */
export function isCut(thrown: unknown): boolean {
  return thrown instanceof CutError ||
    thrown instanceof Deno.errors.ConnectionReset ||
    thrown instanceof Deno.errors.ConnectionRefused ||
    thrown instanceof Deno.errors.BrokenPipe ||
    thrown instanceof Deno.errors.ConnectionAborted ||
    thrown instanceof Deno.errors.Interrupted ||
    thrown instanceof Deno.errors.BadResource ||
    thrown instanceof Deno.errors.NotConnected ||
    // TLS that ends without its own end.
    thrown instanceof Deno.errors.UnexpectedEof;
}

function parseHead(text: string): Head {
  const [first = "", ...lines] = text.split("\r\n");
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) {
      throw new NotHttpError(`No field: ${JSON.stringify(line)}`);
    }
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return { first, fields };
}

/** Where the body of a request ends. */
export function requestFraming({ fields }: Head): Framing {
  if (fields.has("transfer-encoding")) return "chunked";
  return Number(fields.get("content-length") ?? 0);
}

/** Where the body of a response ends (RFC 9112 §6.3). */
export function responseFraming(
  method: string,
  status: number,
  { fields }: Head,
): Framing {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) {
    return 0;
  }
  if (fields.has("transfer-encoding")) return "chunked";
  const length = fields.get("content-length");
  return length === undefined ? "close" : Number(length);
}
