/** What backends of the load record, on its way to the harness. */
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { RecordBook } from "../../../scripts/websocket_load/record_book.ts";
import {
  type BackendRecord,
  CONNECTIONS,
  decodeRecord,
  encodeRecord,
  readRecords,
  RECORD,
  RECORD_BYTES,
  RecordWriter,
  sharedClock,
} from "../../../scripts/websocket_load/records.ts";

const ID = 7 * CONNECTIONS + 3;

function record(
  type: number,
  number: number,
  more: Partial<BackendRecord> = {},
): BackendRecord {
  return {
    type,
    connection: ID,
    session: 0,
    number,
    answers: 0,
    at: 0,
    ...more,
  };
}

/** A connection's life. */
const LIFE: readonly BackendRecord[] = [
  record(RECORD.opened, 4, { session: 12 }),
  record(RECORD.received, 1, { at: sharedClock() }),
  record(RECORD.sending, 1, { answers: 1 }),
  record(RECORD.sending, 2),
  record(RECORD.written, 1),
];

/** A connection whose reads bring one piece each. */
function connOf(...pieces: readonly Uint8Array[]): Deno.Conn {
  const left = [...pieces];
  const conn: Pick<Deno.Conn, "read"> = {
    read(buffer) {
      const piece = left.shift();
      if (piece === undefined) return Promise.resolve(null);
      buffer.set(piece);
      return Promise.resolve(piece.length);
    },
  };
  return conn as Deno.Conn;
}

Deno.test("load records: read as they were written, wherever the stream is cut", async () => {
  const bytes = new Uint8Array(LIFE.length * RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  LIFE.forEach((each, i) => encodeRecord(view, i * RECORD_BYTES, each));
  assertEquals(decodeRecord(view, RECORD_BYTES), LIFE[1]!);
  for (let cut = 1; cut < bytes.length; cut++) {
    const read: BackendRecord[] = [];
    await readRecords(
      connOf(bytes.subarray(0, cut), bytes.subarray(cut)),
      (each) => read.push(each),
    );
    assertEquals(read, [...LIFE]);
  }
});

Deno.test("load records: a flush waits for what was added before, however slow the system is", async () => {
  const taken: number[] = [];
  const conn: Pick<Deno.Conn, "write"> = {
    async write(bytes) {
      await Promise.resolve();
      // Never all at once.
      const count = Math.ceil(bytes.length / 2);
      taken.push(...bytes.subarray(0, count));
      return count;
    },
  };
  const writer = new RecordWriter(conn as Deno.Conn);
  await writer.flush();
  assertEquals(taken.length, 0);
  const count = 5_000;
  for (let i = 1; i <= count; i++) {
    writer.add(record(RECORD.received, i));
    if (i % 1_000 === 1) writer.flush();
  }
  await writer.flush();
  assertEquals(taken.length, count * RECORD_BYTES);
  const view = new DataView(new Uint8Array(taken).buffer);
  for (let i = 0; i < count; i++) {
    assertEquals(decodeRecord(view, i * RECORD_BYTES).number, i + 1);
  }
});

Deno.test("load records: the book keeps them by connection", () => {
  const book = new RecordBook();
  for (const each of LIFE) book.add(each);
  const [{ openedAt, ...connection } = { openedAt: -1 }] = book.connections;
  assertEquals(connection, {
    id: ID,
    backend: 7,
    session: 12,
    promised: 4,
    received: [{ number: 1, at: LIFE[1]!.at }],
    sent: [1, 0],
    written: 1,
  });
  assertEquals(openedAt > 0, true);
  assertEquals(book.size, LIFE.length);
});

Deno.test("load records: a record that can't be is an error, not a figure", () => {
  const book = new RecordBook();
  assertThrows(() => book.add(record(RECORD.received, 1)), Error, "not opened");
  book.add(LIFE[0]!);
  assertThrows(() => book.add(record(RECORD.sending, 2)), Error, "skipped");
  assertThrows(() => book.add(record(99, 1)), Error, "unknown type");
});
