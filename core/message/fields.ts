/**
 * Field lines of a message, whatever the protocol that brought them.
 *
 * A codec has its own implementation over its own bytes (HTTP/1.1: ranges of
 * the buffer and a list of edits); whoever handles a message sees only this.
 *
 * @module
 */
import type { HeaderFields } from "../plugin.ts";

/** Field lines with the internal powers that plugins do not get. */
export interface Fields extends HeaderFields {
  /** As `set`, but also for fields that frame the message; the value is trusted. */
  put(name: string, value: string): void;
  /** As `delete`, but also for fields that frame the message. */
  remove(name: string): void;
  /** As `remove` for each of these names, in lower case; costs next to nothing where there is none of them. */
  removeEach(names: readonly string[]): void;
  /**
   * Removes what differs from these names, in lower case, in signs alone, such
   * as `x_forwarded_for`: whoever has variables in place of fields, as CGI does
   * (RFC 3875 §4.1.18), takes one for the other. Costs next to nothing where
   * there is none.
   */
  removeLookalikes(names: readonly string[]): void;
  /** The first value of the name, undefined where there is none. */
  first(name: string): string | undefined;
  /** An independent copy: changes of one do not show in the other. Both read the same bytes. */
  copy(): Fields;
  /** Makes it independent of the bytes behind it, so that it outlives them. */
  keep(): void;
  /**
   * Ends the life of the bytes behind it, which are about to be used for
   * another message: every later read throws, so that no message ever shows in
   * another one's view. Nothing happens after `keep`.
   */
  release(): void;
}

/**
 * Field lines that many heads share, such as the X-Forwarded-For of one
 * connection: made once, encoded once per codec, appended to each head as it
 * leaves. Names are lower case; names and values are trusted.
 */
export class PreparedFields implements Iterable<readonly [string, string]> {
  readonly #entries: readonly (readonly [string, string])[];
  #http1: Uint8Array | undefined;

  constructor(entries: readonly (readonly [string, string])[]) {
    this.#entries = entries;
  }

  [Symbol.iterator](): Iterator<readonly [string, string]> {
    return this.#entries[Symbol.iterator]();
  }

  /** The lines as HTTP/1.1 sends them, each with its CRLF; made by `encode` the first time. */
  http1(encode: (entries: PreparedFields) => Uint8Array): Uint8Array {
    return this.#http1 ??= encode(this);
  }
}
