/**
 * A backend of the WebSocket load within the test's process; what it records
 * goes the way of a process of its own.
 *
 * @module
 */
import { Backend } from "../../scripts/websocket_load/backend.ts";
import type { RecordBook } from "../../scripts/websocket_load/record_book.ts";
import {
  readRecords,
  RecordWriter,
} from "../../scripts/websocket_load/records.ts";

/** A running one. */
export interface LoadBackend extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly backend: Backend;
}

/** Options of a start. */
export interface LoadBackendOptions {
  readonly book: RecordBook;
  /** Its own among all of the test. Default 1. */
  readonly number?: number;
  /** Messages of its own per second and connection. Default 0. */
  readonly pushes?: number;
  /** Milliseconds that it thinks. Default 0. */
  readonly think?: number;
}

/** Bytes of each message. */
export const LOAD_SIZE = 64;

/** Starts it at a free port of 127.0.0.1. */
export async function serveLoad(
  { book, number = 1, pushes = 0, think = 0 }: LoadBackendOptions,
): Promise<LoadBackend> {
  using harness = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [told, heard] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: harness.addr.port }),
    harness.accept(),
  ]);
  const reading = readRecords(heard, (record) => book.add(record));
  const backend = new Backend(
    Deno.listen({ hostname: "127.0.0.1", port: 0 }),
    {
      number,
      size: LOAD_SIZE,
      think,
      pushes,
      records: new RecordWriter(told),
    },
  );
  return {
    port: backend.port,
    url: `http://127.0.0.1:${backend.port}`,
    backend,
    async [Symbol.asyncDispose]() {
      await backend[Symbol.asyncDispose]();
      told.close();
      await reading;
      heard.close();
    },
  };
}
