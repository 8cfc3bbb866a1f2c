/**
 * The Date line, made once a second.
 *
 * @module
 */
import { encodeLatin1 } from "./text.ts";

/** The Date field line of the current second (RFC 9110 §6.6.1), with its CRLF. */
export class DateLine {
  #second = NaN;
  #bytes: Uint8Array = new Uint8Array(0);

  /** The line at a time in milliseconds since the epoch; don't write to it. */
  bytes(wall: number): Uint8Array {
    const second = Math.floor(wall / 1000);
    if (second !== this.#second) {
      this.#second = second;
      const date = new Date(second * 1000).toUTCString();
      this.#bytes = encodeLatin1(`date: ${date}\r\n`);
    }
    return this.#bytes;
  }
}
