/**
 * Reads TLS's presentation language (RFC 8446 §3): numbers, and vectors behind
 * their length.
 *
 * @module
 */

/** A cursor over bytes that are all there; reading beyond them throws a `RangeError`. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether nothing is left. */
  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** A number of so many bytes; `what` names it where it is cut. */
  number(length: number, what: string): number {
    let value = 0;
    for (const byte of this.#take(length, what)) value = value * 256 + byte;
    return value;
  }

  /** A vector whose length takes so many bytes. */
  vector(lengthBytes: number, what: string): ByteReader {
    return new ByteReader(this.#take(this.number(lengthBytes, what), what));
  }

  /** Leaves out so many bytes. */
  skip(length: number, what: string): void {
    this.#take(length, what);
  }

  /** What is left, one character a byte. */
  text(): string {
    return String.fromCharCode(
      ...this.#take(this.#bytes.length - this.#at, "text"),
    );
  }

  /** Throws where something is left behind the end of `what`. */
  end(what: string): void {
    if (!this.ended) {
      throw new RangeError(`something follows the ${what}`);
    }
  }

  #take(length: number, what: string): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) {
      throw new RangeError(`it ends within its ${what}`);
    }
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
