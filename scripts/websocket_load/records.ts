/**
 * What backends tell the harness, over a connection of their own and before
 * they act: a SIGKILL takes nothing back of what the system has taken.
 *
 * @module
 */

/** What a record is about. */
export const RECORD = Object.freeze({
  /** The process is there; `connection` is its backend's number. */
  started: 0,
  /** It listens at the port `number`. */
  listening: 1,
  /** A connection of `session` is about to be answered; it was promised `number` replayed messages. */
  opened: 2,
  /** The client's message `number` came, at `at`. */
  received: 3,
  /** The message `number` of the connection is about to be sent; it answers `answers`. */
  sending: 4,
  /** The system has taken the connection's messages up to `number`. */
  written: 5,
});

/** One record; what has no meaning is 0. */
export interface BackendRecord {
  readonly type: number;
  /** Of all connections of all backends of a run. */
  readonly connection: number;
  readonly session: number;
  readonly number: number;
  readonly answers: number;
  /** Microseconds of the clock that all processes share. */
  readonly at: number;
}

/** Bytes of a record. */
export const RECORD_BYTES = 32;

/** A connection's number is its backend's, times this, plus its own. */
export const CONNECTIONS = 1 << 20;

/** Microseconds of the system's clock: the only one that orders what several processes do. */
export function sharedClock(): number {
  return Number(Temporal.Now.instant().epochNanoseconds / 1000n);
}

/** Writes one. */
export function encodeRecord(
  view: DataView,
  at: number,
  record: BackendRecord,
): void {
  view.setFloat64(at, record.at);
  view.setFloat64(at + 8, record.connection);
  view.setUint32(at + 16, record.number);
  view.setUint32(at + 20, record.answers);
  view.setUint32(at + 24, record.session);
  view.setUint32(at + 28, record.type);
}

/** Reads one. */
export function decodeRecord(view: DataView, at: number): BackendRecord {
  return {
    at: view.getFloat64(at),
    connection: view.getFloat64(at + 8),
    number: view.getUint32(at + 16),
    answers: view.getUint32(at + 20),
    session: view.getUint32(at + 24),
    type: view.getUint32(at + 28),
  };
}

/** A backend's end. */
export class RecordWriter {
  readonly #conn: Deno.Conn;
  #bytes = new Uint8Array(64 << 10);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;
  #spare = new Uint8Array(64 << 10);
  #writing: Promise<void> | undefined;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Queues one for the next `flush`. */
  add(record: BackendRecord): void {
    if (this.#end === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#end);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    encodeRecord(this.#view, this.#end, record);
    this.#end += RECORD_BYTES;
  }

  /** Resolves when the system has taken all that was added before. */
  async flush(): Promise<void> {
    if (this.#end > 0) this.#writing ??= this.#write();
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#end > 0) {
      const bytes = this.#bytes;
      const end = this.#end;
      this.#bytes = this.#spare;
      this.#view = new DataView(this.#bytes.buffer);
      this.#end = 0;
      for (let at = 0; at < end;) {
        at += await this.#conn.write(bytes.subarray(at, end));
      }
      this.#spare = bytes;
    }
    this.#writing = undefined;
  }
}

/** Hands on the records that a backend wrote, to its end. */
export async function readRecords(
  conn: Deno.Conn,
  take: (record: BackendRecord) => void,
): Promise<void> {
  const bytes = new Uint8Array(256 << 10);
  const view = new DataView(bytes.buffer);
  let end = 0;
  for (;;) {
    const count = await conn.read(bytes.subarray(end));
    if (count === null) return;
    end += count;
    let at = 0;
    for (; at + RECORD_BYTES <= end; at += RECORD_BYTES) {
      take(decodeRecord(view, at));
    }
    bytes.copyWithin(0, at, end);
    end -= at;
  }
}
