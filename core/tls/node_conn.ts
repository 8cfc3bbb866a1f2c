/**
 * A `node:tls` socket over a gate as a `ByteConn`: what was read and not yet
 * asked for is at most one read of the gate.
 *
 * @module
 */
import type { TLSSocket } from "node:tls";
import type { ByteConn } from "../net/byte_conn.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import type { Gate } from "./gate.ts";

/** Bytes of one write: a deadline per write sees whether a slow client takes them. */
const MAX_WRITE = 64 << 10;

/** Milliseconds that the last bytes of a connection may take after its close. */
const CLOSE_TIME = 1_000;

/** What a connection is made of. */
export interface NodeConnParts {
  /** The connection below. */
  readonly conn: ByteConn;
  readonly gate: Gate;
  /** Its handshake is done. */
  readonly socket: TLSSocket;
  readonly deadlines: Deadlines;
  /** Waits for what its close leaves to be done. */
  readonly outlives: (work: Promise<void>) => void;
}

interface Reader {
  readonly buffer: Uint8Array;
  readonly resolve: (count: number | null) => void;
  readonly reject: (reason: unknown) => void;
}

/** The connection. */
export class NodeConn implements ByteConn {
  readonly #parts: NodeConnParts;
  #queue: Uint8Array[] = [];
  #reader: Reader | undefined;
  #rejectWrite: ((reason: unknown) => void) | undefined;
  #ended = false;
  #failure: unknown;
  #closed = false;
  /** Our end is said, or about to be. */
  #said = false;
  /** The socket is closed. */
  #gone = false;

  constructor(parts: NodeConnParts) {
    this.#parts = parts;
    const { socket, gate } = parts;
    gate.open = false;
    socket.on("data", (bytes: Uint8Array) => this.#received(bytes));
    socket.on("end", () => this.#end());
    socket.on("error", (error: unknown) => this.#fail(error));
    socket.on("close", () => {
      this.#gone = true;
      this.#end();
    });
    gate.on("error", (error: unknown) => this.#fail(error));
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const first = this.#queue[0];
    if (first !== undefined) return Promise.resolve(this.#take(first, buffer));
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#reader = { buffer, resolve, reject };
      this.#parts.gate.open = true;
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const part = bytes.length > MAX_WRITE
      ? bytes.subarray(0, MAX_WRITE)
      : bytes;
    return new Promise((resolve, reject) => {
      this.#rejectWrite = reject;
      this.#parts.socket.write(part, (error) => {
        this.#rejectWrite = undefined;
        if (error) reject(error);
        else resolve(part.length);
      });
    });
  }

  async closeWrite(): Promise<void> {
    await this.#sayEnd();
    // node:tls leaves the connection below as it is.
    if (this.#failure === undefined) await this.#parts.conn.closeWrite();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const cut = this.#failure !== undefined || this.#said ||
      this.#parts.gate.writing;
    // Whoever waits hears of it, as from a socket that is closed.
    this.#fail(new Deno.errors.Interrupted("The connection is closed"));
    if (cut) this.#cut();
    else this.#parts.outlives(this.#close());
  }

  /** The end is said first (RFC 8446 §6.1), or clients take what they got for cut off. */
  async #close(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const { deadlines } = this.#parts;
    const entry: Expiring = {
      deadline: deadlines.after(CLOSE_TIME),
      expire: resolve,
    };
    deadlines.add(entry);
    await Promise.race([this.#sayEnd(), late]);
    deadlines.delete(entry);
    this.#cut();
  }

  /** Resolves when the end is written, or can't be any more. */
  #sayEnd(): Promise<void> {
    this.#said = true;
    const { socket } = this.#parts;
    return new Promise((resolve) => {
      if (this.#gone) resolve();
      socket.once("close", resolve);
      socket.end(resolve);
    });
  }

  /** Ends the connection below, once. */
  #cut(): void {
    const { conn, socket, gate } = this.#parts;
    conn.close();
    gate.destroy();
    socket.destroy();
  }

  #received(bytes: Uint8Array): void {
    if (this.#closed) return;
    const reader = this.#reader;
    this.#queue.push(bytes);
    if (reader === undefined) return;
    this.#reader = undefined;
    this.#parts.gate.open = false;
    reader.resolve(this.#take(bytes, reader.buffer));
  }

  /** The first of the queue, as far as it fits. */
  #take(first: Uint8Array, buffer: Uint8Array): number {
    const count = Math.min(first.length, buffer.length);
    buffer.set(count === first.length ? first : first.subarray(0, count));
    if (count === first.length) this.#queue.shift();
    else this.#queue[0] = first.subarray(count);
    return count;
  }

  #end(): void {
    this.#ended = true;
    this.#rejectWrite?.(new Deno.errors.BrokenPipe("The connection is gone"));
    this.#reader?.resolve(null);
    this.#reader = undefined;
  }

  #fail(reason: unknown): void {
    this.#failure ??= reason;
    this.#rejectWrite?.(reason);
    this.#reader?.reject(reason);
    this.#reader = undefined;
  }
}
