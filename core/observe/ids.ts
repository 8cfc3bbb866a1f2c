/**
 * Ids of sessions and transactions.
 *
 * @module
 */

/** What an id source is made of. */
export interface IdSourceOptions {
  /** The data plane's number, so that workers of one process can't collide; 0. */
  readonly worker?: number;
  /** Fills bytes at random; the machine's generator. */
  readonly random?: (bytes: Uint8Array<ArrayBuffer>) => void;
}

/** Random bytes that tell one start of the proxy from all others. */
const RANDOM_BYTES = 6;

/**
 * Makes ids that are unique over workers and restarts, of digits, small letters
 * and one `-`: a prefix made once and a counter. An id costs a text of a
 * number, where a UUID costs random bytes and 36 characters. They are names,
 * not secrets: the next one can be guessed.
 */
export class IdSource {
  readonly #prefix: string;
  #count = 0;

  constructor(options: IdSourceOptions = {}) {
    const { worker = 0, random = (bytes) => crypto.getRandomValues(bytes) } =
      options;
    const bytes = new Uint8Array(RANDOM_BYTES);
    random(bytes);
    const start = bytes.reduce((number, byte) => number * 256 + byte, 0);
    // Padded: the place where the worker's number begins must not depend on it.
    this.#prefix = `${start.toString(36).padStart(10, "0")}${
      worker.toString(36)
    }-`;
  }

  /** The next id. */
  next(): string {
    return this.#prefix + (++this.#count).toString(36);
  }
}
