/**
 * Writes lines in batches to a file or standard output, without ever making
 * traffic wait: bounded in memory, and what can't be written is counted.
 *
 * A batch holds whole lines and goes out in one write, so that the lines of
 * several workers, which each append to the same file, do not interleave.
 *
 * @module
 */
import type { Clock } from "../core/plugin.ts";

/** Where batches go: `Deno.FsFile` and `Deno.stdout` fit. */
export interface BatchOutput {
  /** Bytes taken of `bytes`: perhaps not all of them. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Why lines were lost. */
export type LossReason = "write_failed" | "queue_full" | "closed";

/** What a batch writer is made of. */
export interface BatchWriterOptions {
  readonly output: BatchOutput;
  readonly clock: Clock;
  /** Told of so many lines that went out. */
  readonly onWritten: (lines: number) => void;
  /** Told of so many lines that are lost; `error` where a write failed. */
  readonly onLost: (
    lines: number,
    reason: LossReason,
    error?: unknown,
  ) => void;
  /** Bytes after which a batch is written; 64 KiB. */
  readonly batchBytes?: number;
  /** Milliseconds after which a batch is written; 100. */
  readonly batchTime?: number;
  /** Bytes that may wait for the output; 4 MiB. */
  readonly maxQueued?: number;
  /** Milliseconds that `close` waits for the output; 5000. */
  readonly patience?: number;
}

const LINE_FEED = 10;

/** A batch under construction, or one that waits. */
interface Batch {
  readonly bytes: Uint8Array;
  used: number;
  lines: number;
}

/** Gathers lines into batches and writes one at a time. */
export class BatchWriter {
  readonly #output: BatchOutput;
  readonly #clock: Clock;
  readonly #onWritten: (lines: number) => void;
  readonly #onLost: BatchWriterOptions["onLost"];
  readonly #batchBytes: number;
  readonly #batchTime: number;
  readonly #maxQueued: number;
  readonly #patience: number;
  readonly #encoder = new TextEncoder();

  /** The batch that takes lines now. */
  #open: Batch | undefined;
  /** Its time has come, full or not. */
  #due = false;
  /** Full batches that wait for the output. */
  #queue: Batch[] = [];
  /** Bytes of the waiting batches and the one that is being written. */
  #queuedBytes = 0;
  /** Lines taken of which it is not known yet whether they went out. */
  #unwritten = 0;
  #cancelTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  /** A written batch's memory, for the next one. */
  #spare: Uint8Array | undefined;
  /** The output ends within a line, as a write failed half-way. */
  #torn = false;
  #state: "open" | "closing" | "abandoned" = "open";
  #closing: Promise<void> | undefined;

  constructor(options: BatchWriterOptions) {
    this.#output = options.output;
    this.#clock = options.clock;
    this.#onWritten = options.onWritten;
    this.#onLost = options.onLost;
    this.#batchBytes = options.batchBytes ?? 64 * 1024;
    this.#batchTime = options.batchTime ?? 100;
    this.#maxQueued = options.maxQueued ?? 4 * 1024 * 1024;
    this.#patience = options.patience ?? 5_000;
  }

  /** Takes a line with its line feed. */
  write(line: string): void {
    if (this.#state !== "open") {
      this.#onLost(1, "closed");
      return;
    }
    if (this.#open !== undefined) {
      if (this.#append(this.#open, line)) return;
      this.#seal(this.#open);
      this.#start();
    }
    if (this.#queuedBytes + this.#batchBytes > this.#maxQueued) {
      this.#onLost(1, "queue_full");
      return;
    }
    const bytes = this.#spare ?? new Uint8Array(this.#batchBytes);
    const batch = { bytes, used: 0, lines: 0 };
    if (this.#append(batch, line)) {
      this.#spare = undefined;
      this.#open = batch;
      this.#cancelTimer = this.#clock.after(this.#batchTime, () => {
        this.#due = true;
        this.#start();
      });
      return;
    }
    // Longer than a whole batch: a batch of its own, so that it stays in one write.
    const whole = this.#encoder.encode(line);
    this.#unwritten++;
    this.#seal({ bytes: whole, used: whole.length, lines: 1 });
    this.#start();
  }

  /** Writes what is left; resolves when it is out, or when the output stands still too long. */
  close(): Promise<void> {
    return this.#closing ??= this.#end();
  }

  async #end(): Promise<void> {
    this.#state = "closing";
    this.#cancelTimer?.();
    this.#due = true;
    this.#start();
    let cancel = () => {};
    const tired = new Promise<void>((resolve) => {
      cancel = this.#clock.after(this.#patience, resolve);
    });
    await Promise.race([this.#running, tired]);
    cancel();
    this.#state = "abandoned";
    if (this.#unwritten > 0) this.#onLost(this.#unwritten, "closed");
  }

  /** Whether the line fits. */
  #append(batch: Batch, line: string): boolean {
    const room = batch.bytes.subarray(batch.used);
    const { read, written } = this.#encoder.encodeInto(line, room);
    if (read < line.length) return false;
    batch.used += written;
    batch.lines++;
    this.#unwritten++;
    return true;
  }

  /** The batch takes no more lines: it waits for its turn. */
  #seal(batch: Batch): void {
    if (batch === this.#open) {
      this.#open = undefined;
      this.#due = false;
      this.#cancelTimer?.();
    }
    this.#queue.push(batch);
    this.#queuedBytes += batch.bytes.length;
  }

  /** The next batch to write; the open one only once the output is free: until then it takes more lines. */
  #next(): Batch | undefined {
    if (this.#queue.length === 0 && this.#due && this.#open !== undefined) {
      this.#seal(this.#open);
    }
    return this.#queue.shift();
  }

  #start(): void {
    if (this.#running !== undefined) return;
    const batch = this.#next();
    if (batch !== undefined) this.#running = this.#run(batch);
  }

  async #run(first: Batch): Promise<void> {
    let batch: Batch | undefined = first;
    while (batch !== undefined) {
      await this.#writeBatch(batch);
      this.#queuedBytes -= batch.bytes.length;
      if (batch.bytes.length === this.#batchBytes) this.#spare = batch.bytes;
      batch = this.#state === "abandoned" ? undefined : this.#next();
    }
    this.#running = undefined;
  }

  /** Never rejects: a batch that can't be written is lost, the next one is tried. */
  async #writeBatch(batch: Batch): Promise<void> {
    let rest = batch.bytes.subarray(0, batch.used);
    if (this.#torn) rest = withLineFeed(rest);
    let failure: unknown;
    try {
      while (rest.length > 0) {
        const written = await this.#output.write(rest);
        if (written === 0) throw new Deno.errors.WriteZero("No bytes taken");
        this.#torn = rest[written - 1] !== LINE_FEED;
        rest = rest.subarray(written);
      }
    } catch (error) {
      failure = error;
    }
    // After close gave up all that was left has been told of.
    if (this.#state === "abandoned") return;
    this.#unwritten -= batch.lines;
    // The line feed that ends a torn line is nobody's.
    const lost = Math.min(batch.lines, countLines(rest));
    if (batch.lines > lost) this.#onWritten(batch.lines - lost);
    if (lost > 0) this.#onLost(lost, "write_failed", failure);
  }
}

/** Ends a torn line first, so that it spoils no whole one. */
function withLineFeed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(bytes.length + 1);
  joined[0] = LINE_FEED;
  joined.set(bytes, 1);
  return joined;
}

function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (const byte of bytes) if (byte === LINE_FEED) lines++;
  return lines;
}
