/**
 * A body behind a chain of transforms that plugins brought.
 *
 * Nothing that a transform does can put a connection out of step: what it throws
 * is its failure, a length that it declared is held to, and one that stands
 * still ends.
 *
 * @module
 */
import { type FailureCode, ProxyError } from "../errors.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import { type BodyReader, HEADROOM } from "./body.ts";
import { streamOf } from "./body_stream.ts";

/** One transform of a chain. */
export interface TransformStage {
  readonly stream: TransformStream<Uint8Array, Uint8Array>;
  /** Milliseconds that it may stand still while it has something to work on. */
  readonly timeout: number;
  /** Told once when it was the one that failed. */
  readonly failed: (error: ProxyError) => void;
}

/** What a chain is made with. */
export interface TransformedBodyOptions {
  readonly stages: readonly TransformStage[];
  /** Bytes that come out; undefined = nobody knows. */
  readonly length: number | undefined;
  readonly deadlines: Deadlines;
}

const EMPTY = new Uint8Array(0);

/** So many empty pieces in a row are taken without a pause. */
const MANY = 64;

/** Lets everybody else work. */
function aside(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** What comes out of the last transform. */
export class TransformedBody implements BodyReader, Expiring {
  place = NOWHERE;
  bytes: Uint8Array = EMPTY;
  start = 0;
  end = 0;
  last = false;
  readonly headroom = HEADROOM;
  readonly tailroom = 0;
  deadline = Infinity;
  readonly #options: TransformedBodyOptions;
  readonly #source: WatchedBody;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #timeout: number;
  /** The stage that was the first to fail. */
  #blamed: TransformStage | undefined;
  #total = 0;
  #cancelled = false;
  /** The first piece was read ahead. */
  #primed = false;
  #stalled: ((error: ProxyError) => void) | undefined;

  constructor(source: BodyReader, options: TransformedBodyOptions) {
    this.#options = options;
    this.#source = new WatchedBody(source);
    this.#timeout = Math.max(...options.stages.map(({ timeout }) => timeout));
    let readable: ReadableStream<Uint8Array> = streamOf(
      this.#source,
      () => this.#source.finish(),
    );
    options.stages.forEach((stage, i) => {
      const blame = () => void (this.#blamed ??= stage);
      readable.pipeTo(stage.stream.writable).catch(blame);
      const isLast = i === options.stages.length - 1;
      readable = isLast
        ? stage.stream.readable
        : watched(stage.stream.readable, blame);
    });
    this.#reader = readable.getReader();
  }

  /** Waits for the first piece, so that a chain that fails at once can still be answered for. Rejects with a ProxyError. */
  async prime(): Promise<void> {
    await this.next();
    this.#primed = true;
  }

  advance(): boolean {
    if (this.#primed) {
      this.#primed = false;
      return true;
    }
    if (!this.last) return false;
    this.start = this.end = 0;
    return true;
  }

  async next(): Promise<boolean> {
    if (this.last) return false;
    const { deadlines } = this.#options;
    const stalled = new Promise<never>((_, reject) => this.#stalled = reject);
    // It may come while nobody waits.
    stalled.catch(() => {});
    this.deadline = deadlines.after(this.#timeout);
    deadlines.add(this);
    try {
      return await this.#readPiece(stalled);
    } finally {
      this.#stalled = undefined;
      deadlines.delete(this);
    }
  }

  async #readPiece(stalled: Promise<never>): Promise<boolean> {
    for (let empty = 1;; empty++) {
      const chunk = await this.#read(stalled);
      if (this.#cancelled) return false;
      if (chunk === undefined) {
        this.last = true;
        this.start = this.end = 0;
        this.#source.finish();
        this.#checkLength(true);
        return false;
      }
      if (chunk.length > 0) {
        this.#total += chunk.length;
        this.#checkLength(false);
        this.bytes = new Uint8Array(HEADROOM + chunk.length);
        this.bytes.set(chunk, HEADROOM);
        this.start = HEADROOM;
        this.end = this.bytes.length;
        return true;
      }
      // One that gives nothing without end would let nobody else work.
      if (empty % MANY === 0) await aside();
    }
  }

  cancel(): void {
    if (this.last) return;
    this.last = this.#cancelled = true;
    // A transform that fails while it is given up has told nobody anything new.
    this.#reader.cancel().catch(() => {});
    this.#source.finish();
  }

  /** Resolves once the source is given up, so that others may read it. */
  released(): Promise<void> {
    this.cancel();
    return this.#source.settled();
  }

  /** The chain stands still; the source's own time limits see to the source. */
  expire(): void {
    const { deadlines } = this.#options;
    if (this.#source.waiting) {
      this.deadline = deadlines.after(this.#timeout);
      return;
    }
    this.#stalled?.(
      new ProxyError(
        "handler_timeout",
        `A transform stood still for ${this.#timeout} ms`,
      ),
    );
  }

  async #read(stalled: Promise<never>): Promise<Uint8Array | undefined> {
    try {
      const { value } = await Promise.race([stalled, this.#reader.read()]);
      if (value !== undefined && !(value instanceof Uint8Array)) {
        throw new TypeError(
          `A transform must give bytes: it gave ${typeof value}`,
        );
      }
      return value;
    } catch (thrown) {
      // Until a stage before it has told of its own failure.
      await aside();
      throw this.#failed(thrown);
    }
  }

  #checkLength(over: boolean): void {
    const { length } = this.#options;
    if (length === undefined) return;
    if (over ? this.#total === length : this.#total <= length) return;
    throw this.#failed(
      new ProxyError(
        "handler_error",
        `A transform gave ${this.#total} bytes of ${length} declared`,
      ),
    );
  }

  /** Blames the stage that failed first, else the last; the source's failures are its own. */
  #failed(thrown: unknown): ProxyError {
    const error = thrown instanceof ProxyError
      ? thrown
      : asStageError(thrown, "handler_error");
    if (error.side === "plugin") {
      (this.#blamed ?? this.#options.stages.at(-1)!).failed(error);
    }
    this.cancel();
    return error;
  }
}

/** The stream as it is; a failure is told before anybody behind it has it. */
function watched(
  stream: ReadableStream<Uint8Array>,
  failed: () => void,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  let over = false;
  return new ReadableStream({
    async pull(controller) {
      try {
        const { value, done } = await reader.read();
        if (over) return;
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (thrown) {
        // After its end it fails because others did.
        if (!over) failed();
        controller.error(thrown);
      }
    },
    cancel(reason) {
      over = true;
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

function asStageError(thrown: unknown, code: FailureCode): ProxyError {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new ProxyError(code, `A transform failed: ${message}`, {
    cause: thrown,
  });
}

/**
 * A source that tells whether it is waited for, and is given up once: whatever a
 * transform still does then, the source is not touched any more.
 */
class WatchedBody implements BodyReader {
  readonly #body: BodyReader;
  #reading: Promise<boolean> | undefined;
  #over = false;

  constructor(body: BodyReader) {
    this.#body = body;
  }

  get bytes(): Uint8Array {
    return this.#body.bytes;
  }
  get start(): number {
    return this.#over ? 0 : this.#body.start;
  }
  get end(): number {
    return this.#over ? 0 : this.#body.end;
  }
  get headroom(): number {
    return this.#body.headroom;
  }
  get tailroom(): number {
    return this.#body.tailroom;
  }
  get last(): boolean {
    return this.#over || this.#body.last;
  }
  get waiting(): boolean {
    return this.#reading !== undefined;
  }

  advance(): boolean {
    return this.#over || this.#body.advance();
  }

  async next(): Promise<boolean> {
    if (this.#over) return false;
    this.#reading = this.#body.next();
    try {
      return await this.#reading;
    } finally {
      this.#reading = undefined;
    }
  }

  cancel(): void {
    this.finish();
  }

  /** It was read whole, or nobody wants the rest. */
  finish(): void {
    if (this.#over) return;
    this.#over = true;
    if (!this.#body.last) this.#body.cancel();
  }

  /** Resolves once no read is under way. */
  async settled(): Promise<void> {
    try {
      await this.#reading;
    } catch {
      // Whoever waited for it is told.
    }
  }
}
