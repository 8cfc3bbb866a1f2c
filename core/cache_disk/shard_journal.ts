/**
 * The journal's file of a shard: read once at the start, added to batch by
 * batch, written anew when most of it is of no use.
 *
 * @module
 */
import { type AppendFile, MAX_WRITE } from "./disk_files.ts";
import {
  BatchWriter,
  JOURNAL_HEAD,
  journalHead,
  type JournalState,
  type JournalVisitor,
  type PutView,
  readJournal,
} from "./journal.ts";
import type { ShardContext } from "./shard_context.ts";

/** A journal, open or not. */
export class ShardJournal {
  /** Bytes of the file while it is open. */
  bytes = 0;
  /** Lines in it while it is open. */
  lines = 0;
  readonly #context: Pick<ShardContext, "files" | "traffic">;
  readonly #path: string;
  #file: AppendFile | undefined;
  /** Bytes that `load` found, and those of them that count. */
  #found = 0;
  #whole = 0;
  /** It could not be removed: what it names must not come back. */
  #condemned = false;

  constructor(
    path: string,
    context: Pick<ShardContext, "files" | "traffic">,
  ) {
    this.#path = path;
    this.#context = context;
  }

  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  /** Tells of all that is there from before. Rejects where it can't be read. */
  async load(visitor: JournalVisitor): Promise<JournalState> {
    const { files } = this.#context;
    const bytes = await files.readAll(this.#path) ?? new Uint8Array(0);
    const state = readJournal(bytes, visitor);
    const whole = state.kind === "whole" && state.length > 0;
    this.#found = bytes.length;
    this.#whole = whole ? state.length : JOURNAL_HEAD;
    return state;
  }

  /** Whether `load` found nothing that counts. */
  get isBlank(): boolean {
    return this.#whole === JOURNAL_HEAD;
  }

  async remove(): Promise<void> {
    await this.#context.files.remove(this.#path);
  }

  /** Begins to add to it, behind the lines that `load` found. A blank one is removed before. */
  async open(lines: number): Promise<void> {
    const file = await this.#context.files.append(this.#path);
    try {
      if (this.isBlank) await file.append(journalHead());
      else if (this.#whole < this.#found) await file.truncate(this.#whole);
    } catch (thrown) {
      file.close();
      throw thrown;
    }
    this.#file = file;
    this.bytes = this.#whole;
    this.lines = lines;
  }

  /** Adds a batch; with `durable` so that it and all before outlive a loss of power. Rejects where that fails. */
  async append(batch: BatchWriter, durable: boolean): Promise<void> {
    const file = this.#file!;
    let length = 0;
    if (batch.lines > 0) {
      const bytes = batch.seal();
      await file.append(bytes);
      length = bytes.length;
      this.#context.traffic.written += length;
    }
    if (durable) await file.sync();
    // Not before: `cutOff` takes back what was not synced too.
    this.bytes += length;
    this.lines += batch.lines;
  }

  /** Cuts off what came of a batch that failed; false where that fails too, and nobody knows what it holds. */
  async cutOff(): Promise<boolean> {
    try {
      await this.#file!.truncate(this.bytes);
      return true;
    } catch {
      // The caller gives it up, and tells of the failure before.
      return false;
    }
  }

  /** Tells of all that ever came; whether it is as it was written. Rejects where it can't be read. */
  async scan(
    put: (line: PutView) => void,
  ): Promise<"whole" | "damaged" | "gone"> {
    const bytes = await this.#context.files.readAll(this.#path);
    if (bytes === undefined) return "gone";
    const state = readJournal(bytes, { put, drop: () => {}, clear: () => {} });
    return state.kind === "whole" && state.length === this.bytes
      ? "whole"
      : "damaged";
  }

  /** Writes it anew with the lines that count; false where it is not as it was written. Rejects where that fails: then it still serves. */
  async compact(counts: (line: PutView) => boolean): Promise<boolean> {
    const { files, traffic } = this.#context;
    const batches = [journalHead()];
    let batch = new BatchWriter();
    let lines = 0;
    const state = await this.scan((put) => {
      if (!counts(put)) return;
      batch.copy(put.line);
      lines++;
      if (batch.length < MAX_WRITE) return;
      batches.push(batch.seal());
      batch = new BatchWriter();
    });
    if (state === "gone") throw new Error("The journal is gone");
    if (state === "damaged") return false;
    if (batch.lines > 0) batches.push(batch.seal());
    const fresh = `${this.#path}.new`;
    await files.remove(fresh);
    const file = await files.append(fresh);
    let length = 0;
    try {
      for (const part of batches) {
        await file.append(part);
        length += part.length;
      }
      await file.sync();
      await files.rename(fresh, this.#path);
    } catch (thrown) {
      file.close();
      throw thrown;
    }
    this.close();
    this.#file = file;
    this.bytes = length;
    this.lines = lines;
    traffic.written += length;
    return true;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
    this.bytes = 0;
    this.lines = 0;
  }

  /** Has it removed, now or by `removeCondemned`. Rejects where it can't be now. */
  async condemn(): Promise<void> {
    this.close();
    this.#condemned = true;
    await this.removeCondemned();
  }

  /** To be called before `load`. Rejects where it still can't be removed. */
  async removeCondemned(): Promise<void> {
    if (!this.#condemned) return;
    await this.remove();
    this.#condemned = false;
  }
}
