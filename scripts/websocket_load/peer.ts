/**
 * One end of a WebSocket over a plain connection, with the proxy's own frame
 * codec: quick enough for loads, and free to behave as no decent library lets it.
 *
 * @module
 */
import {
  ABNORMAL,
  closePayload,
  NO_STATUS,
  readClosePayload,
} from "../../core/websocket/close_payload.ts";
import { MAX_HEADER, OPCODE } from "../../core/websocket/frame_header.ts";
import { FrameQueue } from "../../core/websocket/frame_queue.ts";
import {
  FrameReader,
  type FrameSink,
} from "../../core/websocket/frame_reader.ts";
import type { MessageKind } from "../../core/websocket/link.ts";
import { Buffers } from "../../core/net/buffer_pool.ts";

/** What a peer tells. */
export interface PeerEvents {
  /** A whole message; the bytes are valid within the call only. */
  message(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void;
  /** A Ping came: to be answered by `pong`, when its time has come. */
  ping(payload: Uint8Array): void;
  /** All of one read was given; the next read waits for the promise. */
  batchEnd(): Promise<unknown> | undefined;
}

/** How it ended: 1006 where no Close came, 1005 where it had no code. */
export interface PeerEnd {
  readonly code: number;
  readonly reason: string;
}

/** What a peer starts from. */
export interface PeerOptions {
  /** Which end this is. */
  readonly end: "client" | "server";
  /** Bytes that came behind the opening handshake. */
  readonly rest: Uint8Array;
}

/** What an idle peer reads into, and one with much to read, in bytes. */
const SMALL_READ = 4 << 10;
const LARGE_READ = 64 << 10;

const MAX_MESSAGE = 16 << 20;

const buffers = new Buffers();

/** One end. */
export class Peer implements FrameSink {
  readonly #conn: Deno.TcpConn;
  readonly #queue: FrameQueue;
  readonly #reader: FrameReader;
  #events: PeerEvents | undefined;
  #bytes: Uint8Array;
  #start = 0;
  #end: number;
  #writing: Promise<void> | undefined;
  #broken = false;
  #closed = false;
  #closeSent = false;
  #resetting = false;
  #said: PeerEnd | undefined;

  constructor(conn: Deno.TcpConn, { end, rest }: PeerOptions) {
    this.#conn = conn;
    this.#queue = new FrameQueue(buffers, { masked: end === "client" });
    this.#reader = new FrameReader(this, {
      sender: end === "client" ? "server" : "client",
      maxMessage: MAX_MESSAGE,
    });
    this.#bytes = new Uint8Array(Math.max(SMALL_READ, rest.length));
    this.#bytes.set(rest);
    this.#end = rest.length;
    conn.setNoDelay(true);
  }

  /** Reads to the end; then the connection is closed. Rejects only for a protocol error. */
  async run(events: PeerEvents): Promise<PeerEnd> {
    this.#events = events;
    try {
      await this.#read();
      if (this.#said !== undefined && !this.#closeSent) {
        await this.close(this.#said.code, "");
      }
    } finally {
      this.destroy();
    }
    return this.#said ?? { code: ABNORMAL, reason: "" };
  }

  /** Whether a Close was sent: nothing may follow it. */
  get closing(): boolean {
    return this.#closeSent;
  }

  /** Queues a message for the next `flush`. */
  send(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (!this.#closeSent) this.#queue.add(kind, bytes, start, end);
  }

  /** Queues the answer to a Ping for the next `flush`. */
  pong(payload: Uint8Array): void {
    if (this.#closeSent) return;
    this.#queue.add(OPCODE.pong, payload, 0, payload.length);
  }

  /** Resolves when the system has taken all that was queued before, to false where the connection is over. */
  async flush(): Promise<boolean> {
    if (this.#broken) return false;
    if (this.#queue.size > 0) this.#writing ??= this.#write();
    await this.#writing;
    return !this.#broken;
  }

  /** Sends a Close; the peer's one ends `run`. */
  async close(code: number, reason: string): Promise<void> {
    if (this.#closeSent) return;
    const payload = code === NO_STATUS
      ? new Uint8Array(0)
      : closePayload(code, reason);
    this.#queue.add(OPCODE.close, payload, 0, payload.length);
    this.#closeSent = true;
    await this.flush();
  }

  /** Ends with a RST as soon as there are bytes to leave unread, which a socket is then closed with (RFC 2525 §2.17). */
  reset(): void {
    this.#resetting = true;
  }

  /** Ends the connection at once. */
  destroy(): void {
    if (this.#closed) return;
    this.#closed = this.#broken = true;
    this.#conn.close();
  }

  // ---------------------------------------------------------------- FrameSink

  message(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#events!.message(kind, bytes, start, end);
  }

  control(
    opcode: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (opcode === OPCODE.ping) {
      this.#events!.ping(bytes.slice(start, end));
    } else if (opcode === OPCODE.close) {
      this.#said = readClosePayload(bytes, start, end);
      this.#reader.stop();
    }
  }

  // --------------------------------------------------------------------- loop

  async #read(): Promise<void> {
    try {
      for (;;) {
        this.#start = this.#reader.read(
          this.#bytes,
          this.#start,
          this.#end,
          MAX_MESSAGE + MAX_HEADER,
        );
        await this.#events!.batchEnd();
        if (this.#said !== undefined) return;
        if (this.#resetting) {
          await this.#conn.read(new Uint8Array(1));
          return;
        }
        this.#makeRoom();
        const count = await this.#conn.read(this.#bytes.subarray(this.#end));
        if (count === null) return;
        this.#end += count;
      }
    } catch (thrown) {
      if (!isBroken(thrown)) throw thrown;
    }
  }

  #makeRoom(): void {
    const held = this.#end - this.#start;
    const { length } = this.#bytes;
    const needed = held + this.#reader.missing;
    const full = this.#end === length && length < LARGE_READ;
    if (needed >= length || full) {
      const larger = new Uint8Array(Math.max(LARGE_READ, 2 * needed));
      larger.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = larger;
    } else if (held > 0) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = held;
  }

  /** Writes until nothing waits, of which there is something. */
  async #write(): Promise<void> {
    try {
      for (;;) {
        const filled = this.#queue.take();
        if (filled === undefined) break;
        for (let at = 0; at < filled.end;) {
          at += await this.#conn.write(filled.bytes.subarray(at, filled.end));
        }
        buffers.give(filled.bytes);
      }
    } catch (thrown) {
      if (!isBroken(thrown)) throw thrown;
      this.#broken = true;
    } finally {
      if (this.#broken) this.#queue.clear();
      this.#writing = undefined;
    }
  }
}

/** Whether it says that a connection is over, whoever ended it. */
export function isBroken(thrown: unknown): boolean {
  return thrown instanceof Deno.errors.ConnectionReset ||
    thrown instanceof Deno.errors.BrokenPipe ||
    thrown instanceof Deno.errors.ConnectionAborted ||
    thrown instanceof Deno.errors.Interrupted ||
    thrown instanceof Deno.errors.BadResource ||
    thrown instanceof Deno.errors.NotConnected;
}
