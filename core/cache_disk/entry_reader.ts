/**
 * Finds and reads entries: what is not as it was written is forgotten, never given.
 *
 * @module
 */
import type { StoredHead } from "../cache/store.ts";
import { type BodyFile, bodyFileSize } from "./body_files.ts";
import { DiskCopy } from "./disk_copy.ts";
import { DiskEntry } from "./disk_entry.ts";
import { NONE } from "./disk_index.ts";
import { decodeRecord } from "./disk_record.ts";
import type { ShardContext } from "./shard_context.ts";

/** Reads a store's entries. */
export class EntryReader {
  readonly #context: ShardContext;
  readonly #forget: (copy: DiskCopy) => void;

  /** `forget` is asked to forget what can't be read. */
  constructor(context: ShardContext, forget: (copy: DiskCopy) => void) {
    this.#context = context;
    this.#forget = forget;
  }

  /** What may be the entries of a key, the last that came first. */
  copiesOf(hash: number, check: number): DiskCopy[] {
    const { index } = this.#context;
    const found: DiskCopy[] = [];
    for (let at = index.first(hash); at !== NONE; at = index.after(at)) {
      if (index.check(at) === check) {
        found.push(new DiskCopy(at, index.born(at)));
      }
    }
    return found;
  }

  /** The entries of a key among what may be others', the youngest first. Never rejects. */
  async readAll(
    key: string,
    copies: readonly DiskCopy[],
  ): Promise<readonly DiskEntry[]> {
    const entries: DiskEntry[] = [];
    for (const copy of copies) {
      const entry = await this.read(copy);
      if (entry?.key === key) entries.push(entry);
    }
    return entries.sort((a, b) => b.head.receivedAt - a.head.receivedAt);
  }

  /** An entry of what is at hand. */
  entry(
    key: string,
    head: StoredHead,
    copy: DiskCopy,
    body: Uint8Array | BodyFile,
  ): DiskEntry {
    return new DiskEntry(key, head, copy, body, (bad) => this.#bad(bad));
  }

  #bad(copy: DiskCopy): void {
    const error = new Error("A body is not as it was written");
    this.#context.complain("read", error);
    this.#forget(copy);
  }

  /** Reads an entry; undefined where it is gone, or not as it was written. Never rejects. */
  read(copy: DiskCopy): Promise<DiskEntry | undefined> {
    return this.#read(copy, true);
  }

  async #read(
    copy: DiskCopy,
    mayHaveMoved: boolean,
  ): Promise<DiskEntry | undefined> {
    const { index, segments, bodies, pool, traffic, complain } = this.#context;
    if (!copy.isIn(index)) return undefined;
    const { slot } = copy;
    const segment = segments.of(index.segment(slot))!;
    const offset = index.offset(slot);
    const bytes = new Uint8Array(index.length(slot));
    let count = 0;
    let failure: unknown;
    try {
      count = await pool.read(segment.path, bytes, offset);
      if (segment.gone) pool.forget(segment.path);
    } catch (error) {
      failure = error;
    }
    traffic.read += count;
    const whole = failure === undefined && count === bytes.length;
    const record = whole ? decodeRecord(bytes, segment.id, offset) : undefined;
    if (!copy.isIn(index)) return undefined;
    if (record !== undefined) {
      const body = record.body === undefined ? record.inline : bodies.get(slot);
      if (
        body instanceof Uint8Array || await this.#isThere(body, record.body!.id)
      ) {
        if (!copy.isIn(index)) return undefined;
        return this.entry(record.key, record.head, copy, body!);
      }
    }
    const moved = index.segment(slot) !== segment.number ||
      index.offset(slot) !== offset;
    if (moved && mayHaveMoved) return await this.#read(copy, false);
    // Its file is going while it is still listed.
    if (segment.gone) return undefined;
    complain("read", failure ?? new Error("It is not as it was written"));
    this.#forget(copy);
    return undefined;
  }

  async #isThere(file: BodyFile | undefined, id: number): Promise<boolean> {
    if (file?.id !== id) return false;
    try {
      const size = await this.#context.files.size(file.path);
      return size === bodyFileSize(file.size);
    } catch {
      // What can't be looked at can't be read: the caller counts it.
      return false;
    }
  }
}
