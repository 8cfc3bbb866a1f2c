/**
 * Lines to standard error without ever making traffic wait.
 *
 * A synchronous write to a pipe whose reader stands still blocks the whole
 * thread (measured: for ever), so lines are written asynchronously, all that
 * are queued in one write, and dropped where too many are queued.
 *
 * @module
 */

/** The part of `Deno.stderr` that is used. */
export interface StderrOutput {
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
}

/** What a writer is made of. */
export interface StderrWriterOptions {
  /** `Deno.stderr`. */
  readonly output?: StderrOutput;
  /** Characters that may be queued; 1 Mi. */
  readonly maxQueued?: number;
  /** Milliseconds that `flush` waits; 1000. */
  readonly patience?: number;
}

/** Queues lines and writes them. */
export class StderrWriter {
  readonly #output: StderrOutput;
  readonly #maxQueued: number;
  readonly #patience: number;
  readonly #encoder = new TextEncoder();
  #lines: string[] = [];
  #queued = 0;
  #running: Promise<void> | undefined;
  #writing = false;
  /** Lines that could not be written, or were too many. */
  lost = 0;

  constructor(options: StderrWriterOptions = {}) {
    this.#output = options.output ?? Deno.stderr;
    this.#maxQueued = options.maxQueued ?? 1024 * 1024;
    this.#patience = options.patience ?? 1_000;
  }

  /** Takes a line with its line feed. */
  write(line: string): void {
    if (this.#queued + line.length > this.#maxQueued) {
      this.lost++;
      return;
    }
    this.#lines.push(line);
    this.#queued += line.length;
    this.#running ??= this.#run();
  }

  /** Waits until all lines so far are out, or patience ends: a reader may stand still. */
  async flush(): Promise<void> {
    if (this.#running === undefined) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tired = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#patience);
    });
    await Promise.race([this.#running, tired]);
    clearTimeout(timer);
  }

  /**
   * Writes what is queued at once, when the process is about to end. Not while
   * a write is under way: it may wait for a reader that stands still, and so
   * would this one.
   */
  flushSync(): void {
    if (this.#writing || this.#lines.length === 0) return;
    const lines = this.#take();
    try {
      let bytes = this.#encoder.encode(lines.join(""));
      while (bytes.length > 0) {
        const written = this.#output.writeSync(bytes);
        if (written === 0) throw new Deno.errors.WriteZero();
        bytes = bytes.subarray(written);
      }
    } catch {
      // Standard error is closed or full: there is no other place to tell it.
      this.lost += lines.length;
    }
  }

  async #run(): Promise<void> {
    // Lines of the same turn join the first batch.
    await undefined;
    while (this.#lines.length > 0) {
      const lines = this.#take();
      this.#writing = true;
      try {
        let bytes = this.#encoder.encode(lines.join(""));
        while (bytes.length > 0) {
          const written = await this.#output.write(bytes);
          if (written === 0) throw new Deno.errors.WriteZero();
          bytes = bytes.subarray(written);
        }
      } catch {
        // As in flushSync.
        this.lost += lines.length;
      }
      this.#writing = false;
    }
    this.#running = undefined;
  }

  #take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#queued = 0;
    return lines;
  }
}
