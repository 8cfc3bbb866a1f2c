/**
 * What a plane has open, where the supervisor can read it once the plane's worker
 * is gone and can't be asked any more.
 *
 * @module
 */

/** The bytes of a tally. */
export const TALLY_BYTES = 8;

const SESSIONS = 0;
const WEBSOCKETS = 1;

/** A plane's counts, in shared memory. */
export class Tally {
  readonly #ints: Int32Array;

  constructor(memory = new SharedArrayBuffer(TALLY_BYTES)) {
    this.#ints = new Int32Array(memory);
  }

  /** Sessions that are open, WebSocket ones too. */
  get sessions(): number {
    return this.#ints[SESSIONS]!;
  }

  set sessions(count: number) {
    this.#ints[SESSIONS] = count;
  }

  /** WebSocket sessions that are open. */
  get websockets(): number {
    return this.#ints[WEBSOCKETS]!;
  }

  set websockets(count: number) {
    this.#ints[WEBSOCKETS] = count;
  }
}
