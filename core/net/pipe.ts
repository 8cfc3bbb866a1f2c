/**
 * A connection inside the process: two ends, each reads what the other writes.
 * Requests that plugins make enter a listener's sessions through one.
 *
 * @module
 */
import type { ByteConn } from "./byte_conn.ts";

/** Bytes that a direction holds before its writer has to wait. */
const CAPACITY = 64 << 10;

/** One end of a pipe. */
export interface PipeConn extends ByteConn {
  /** Ends both directions as one that is gone: the other end's reads fail, too. */
  reset(): void;
}

/** Both ends of a new pipe. */
export function createPipe(): [PipeConn, PipeConn] {
  const there = new Direction();
  const back = new Direction();
  return [new PipeEnd(back, there), new PipeEnd(there, back)];
}

class PipeEnd implements PipeConn {
  readonly #in: Direction;
  readonly #out: Direction;

  constructor(inbound: Direction, outbound: Direction) {
    this.#in = inbound;
    this.#out = outbound;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#in.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#out.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.#out.end();
    return Promise.resolve();
  }

  close(): void {
    this.#out.end();
    this.#in.abandon();
  }

  reset(): void {
    this.#out.break();
    this.#in.abandon();
  }
}

/** One direction: a bounded queue of bytes with a waiting reader and writer. */
class Direction {
  readonly #queue: Uint8Array[] = [];
  #queued = 0;
  #ended = false;
  #abandoned = false;
  #broken = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#queued === 0) {
      if (this.#broken) throw new Deno.errors.ConnectionReset("Pipe is reset");
      if (this.#abandoned) throw new Deno.errors.Interrupted("Pipe is closed");
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
    const first = this.#queue[0]!;
    const count = Math.min(first.length, buffer.length);
    buffer.set(first.subarray(0, count));
    if (count === first.length) this.#queue.shift();
    else this.#queue[0] = first.subarray(count);
    this.#queued -= count;
    this.#wakeWriter?.();
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    while (this.#queued >= CAPACITY && !this.#abandoned && !this.#ended) {
      await new Promise<void>((resolve) => this.#wakeWriter = resolve);
    }
    if (this.#abandoned || this.#ended) {
      throw new Deno.errors.BrokenPipe("Pipe is closed");
    }
    const count = Math.min(bytes.length, CAPACITY - this.#queued);
    // The writer may use its buffer again as soon as this returns.
    this.#queue.push(bytes.slice(0, count));
    this.#queued += count;
    this.#wakeReader?.();
    return count;
  }

  end(): void {
    this.#ended = true;
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  /** What was written and not read is lost. */
  break(): void {
    this.#broken = true;
    this.abandon();
  }

  abandon(): void {
    this.#abandoned = true;
    this.#queue.length = 0;
    this.#queued = 0;
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }
}
