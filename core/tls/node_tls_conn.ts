/**
 * Either end of TLS by `node:tls` as a `ByteConn`, over any connection. It
 * behaves as `Deno.TlsConn` does.
 *
 * @module
 */
import type { TLSSocket } from "node:tls";
import type { ByteConn } from "../net/byte_conn.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import type { Ciphertext } from "./ciphertext.ts";

/** Bytes of one write: a deadline per write sees whether a slow peer takes them. */
const MAX_WRITE = 64 << 10;

/** Milliseconds that the last bytes of a connection may take after its close. */
const CLOSE_TIME = 1_000;

/** What a connection is made of. */
export interface NodeTlsParts {
  /** The connection below, which belongs to this one from here on. */
  readonly conn: ByteConn;
  readonly ciphertext: Ciphertext;
  /** Over the ciphertext, its handshake still to come. */
  readonly socket: TLSSocket;
  /** What it takes to say the end where nobody has said it before the close; left out, the connection just ends. */
  readonly closing?: Closing;
}

/** What outlives a connection's close. */
export interface Closing {
  readonly deadlines: Deadlines;
  /** Waits for what a connection's close leaves to be done. */
  readonly outlives: (work: Promise<void>) => void;
}

interface Reader {
  readonly buffer: Uint8Array;
  readonly resolve: (count: number | null) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * The connection. A peer that is gone without having ended TLS makes `read`
 * reject with `UnexpectedEof`: what came may have been cut.
 */
export class NodeTlsConn implements ByteConn {
  readonly #parts: NodeTlsParts;
  /** What was read and not yet asked for: at most one read of the ciphertext. */
  #queue: Uint8Array[] = [];
  #reader: Reader | undefined;
  #rejectWrite: ((reason: unknown) => void) | undefined;
  /** How the peer's direction ended: `whole` where TLS itself did. */
  #ended: "whole" | "cut" | undefined;
  /** Why nothing goes in either direction any more. */
  #failure: unknown;
  #closed = false;
  /** Our end is said, or about to be. */
  #said = false;
  /** The socket is closed. */
  #gone = false;

  constructor(parts: NodeTlsParts) {
    this.#parts = parts;
    const { socket, ciphertext } = parts;
    // The peer's end says nothing of our direction.
    socket.allowHalfOpen = true;
    // From here on bytes are read as they are wanted.
    socket.once("secure", () => {
      ciphertext.open = this.#reader !== undefined;
    });
    // Flowing, and what it flows out of is held back: a TLSSocket that is
    // paused forgets the end (tried on 2.9.6).
    socket.on("data", (bytes: Uint8Array) => this.#received(bytes));
    socket.once("end", () => this.#end("whole"));
    // Where the peer ended TLS before its connection, the plaintext's end came first.
    ciphertext.once("end", () => this.#end("cut"));
    socket.on("error", (error: unknown) => this.#fail(error));
    ciphertext.on("error", (error: unknown) => this.#fail(error));
    socket.once("close", () => {
      this.#gone = true;
      this.#fail(new Deno.errors.BrokenPipe("The connection is gone"));
    });
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const first = this.#queue[0];
    if (first !== undefined) return Promise.resolve(this.#take(first, buffer));
    if (this.#ended === "whole") return Promise.resolve(null);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#ended === "cut") return Promise.reject(cutOff());
    return new Promise((resolve, reject) => {
      this.#reader = { buffer, resolve, reject };
      this.#parts.ciphertext.open = true;
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
        if (error) reject(this.#failure ?? error);
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
    const { closing, ciphertext } = this.#parts;
    const unable = this.#failure !== undefined || this.#said ||
      ciphertext.writing;
    // Whoever waits hears of it, as from a socket that is closed.
    this.#fail(new Deno.errors.Interrupted("The connection is closed"));
    if (unable || closing === undefined) this.#cut();
    else closing.outlives(this.#close(closing));
  }

  /** The end is said first (RFC 8446 §6.1), or clients take what they got for cut off. */
  async #close({ deadlines }: Closing): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const entry: Expiring = {
      place: NOWHERE,
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
    const { conn, socket, ciphertext } = this.#parts;
    conn.close();
    ciphertext.destroy();
    socket.destroy();
  }

  #received(bytes: Uint8Array): void {
    if (this.#closed) return;
    const reader = this.#reader;
    this.#queue.push(bytes);
    if (reader === undefined) return;
    this.#reader = undefined;
    this.#parts.ciphertext.open = false;
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

  /** The peer says no more; it may still listen. */
  #end(how: "whole" | "cut"): void {
    if (this.#ended !== undefined) return;
    this.#ended = how;
    const reader = this.#reader;
    this.#reader = undefined;
    if (how === "whole") reader?.resolve(null);
    else reader?.reject(cutOff());
  }

  #fail(reason: unknown): void {
    this.#failure ??= reason;
    this.#rejectWrite?.(this.#failure);
    this.#reader?.reject(this.#failure);
    this.#reader = undefined;
  }
}

function cutOff(): Error {
  return new Deno.errors.UnexpectedEof(
    "The peer closed the connection without ending TLS",
  );
}
