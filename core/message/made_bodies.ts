/**
 * Bodies that handlers and Headrace itself make.
 *
 * @module
 */
import { asProxyError } from "../errors.ts";
import { type BodyReader, HEADROOM } from "./body.ts";

/** A body that is all at hand. */
export class BytesBody implements BodyReader {
  readonly bytes: Uint8Array;
  start = 0;
  end = 0;
  last = false;
  readonly headroom = HEADROOM;
  readonly tailroom = 0;

  constructor(body: Uint8Array) {
    // Framing may overwrite what lies before a piece, but never the maker's bytes.
    this.bytes = new Uint8Array(HEADROOM + body.length);
    this.bytes.set(body, HEADROOM);
  }

  advance(): boolean {
    if (!this.last) {
      this.start = HEADROOM;
      this.end = this.bytes.length;
      this.last = true;
    }
    return true;
  }

  next(): Promise<boolean> {
    return Promise.resolve(!this.last && this.advance());
  }

  cancel(): void {
    this.last = true;
  }
}

/** A body that a stream brings: a plugin's, or an open file's. */
export class StreamBody implements BodyReader {
  bytes: Uint8Array = EMPTY;
  start = 0;
  end = 0;
  last = false;
  readonly headroom = HEADROOM;
  readonly tailroom = 0;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  advance(): boolean {
    return false;
  }

  async next(): Promise<boolean> {
    if (this.last) return false;
    for (;;) {
      const chunk = await this.#read();
      if (chunk === undefined) {
        this.last = true;
        this.start = this.end = 0;
        return false;
      }
      if (chunk.length === 0) continue;
      this.bytes = new Uint8Array(HEADROOM + chunk.length);
      this.bytes.set(chunk, HEADROOM);
      this.start = HEADROOM;
      this.end = this.bytes.length;
      return true;
    }
  }

  cancel(): void {
    if (this.last) return;
    this.last = true;
    // A stream that fails while it is given up has told nobody anything new.
    this.#reader.cancel().catch(() => {});
  }

  async #read(): Promise<Uint8Array | undefined> {
    try {
      const { value } = await this.#reader.read();
      if (value !== undefined && !(value instanceof Uint8Array)) {
        throw new TypeError(
          `Cannot send a stream's chunk as it must be bytes: it is ${typeof value}`,
        );
      }
      return value;
    } catch (thrown) {
      throw asProxyError(thrown, "handler_error");
    }
  }
}

const EMPTY = new Uint8Array(0);
