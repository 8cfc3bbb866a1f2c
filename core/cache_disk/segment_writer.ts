/**
 * Writes records into segments: one segment of each queue at a time, record
 * behind record, until it is full.
 *
 * @module
 */
import { bodyFileSize } from "./body_files.ts";
import { MAX_WRITE } from "./disk_files.ts";
import { sealRecord } from "./disk_record.ts";
import type { Put } from "./pending_writes.ts";
import { Segment, type SegmentKind, type SegmentOwner } from "./segments.ts";
import type { ShardContext } from "./shard_context.ts";
import type { Placed, ShardEntries } from "./shard_entries.ts";

/** What a shard's segments are made with. */
export interface SegmentWriterOptions {
  readonly folder: string;
  readonly owner: SegmentOwner;
  readonly entries: ShardEntries;
}

/** Writes to a shard's segments. One call at a time. */
export class SegmentWriter {
  readonly #context: ShardContext;
  readonly #options: SegmentWriterOptions;
  /** Those that are not full. */
  readonly #active = new Map<SegmentKind, Segment>();

  constructor(context: ShardContext, options: SegmentWriterOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Writes records; those that are written, which may not be all. Never rejects. */
  async write(puts: readonly Put[]): Promise<Placed[]> {
    const placed: Placed[] = [];
    for (const kind of ["small", "main"] as const) {
      let run: Put[] = [];
      let bytes = 0;
      for (const put of puts) {
        if (put.kind !== kind) continue;
        if (run.length > 0 && bytes + put.bytes.length > MAX_WRITE) {
          if (!await this.#writeRun(kind, run, placed)) return placed;
          run = [];
          bytes = 0;
        }
        run.push(put);
        bytes += put.bytes.length;
      }
      if (run.length > 0 && !await this.#writeRun(kind, run, placed)) {
        return placed;
      }
    }
    return placed;
  }

  async #writeRun(
    kind: SegmentKind,
    puts: readonly Put[],
    placed: Placed[],
  ): Promise<boolean> {
    const { segmentBytes, segments, traffic } = this.#context;
    for (let at = 0; at < puts.length;) {
      let segment: Segment | undefined;
      try {
        segment = await this.#segmentFor(kind, puts[at]!);
        const first = at;
        let end = segment.fileBytes;
        let weight = segment.size;
        while (at < puts.length) {
          const { bytes, body } = puts[at]!;
          if (at > first && weight + bytes.length > segmentBytes) break;
          sealRecord(bytes, segment.id, end);
          end += bytes.length;
          weight += bytes.length +
            (body === undefined ? 0 : bodyFileSize(body.size));
          at++;
        }
        const records = puts.slice(first, at);
        const joined = join(records.map(({ bytes }) => bytes));
        await segment.file!.append(joined);
        traffic.written += joined.length;
        let offset = segment.fileBytes;
        for (const put of records) {
          placed.push({ put, segment, offset });
          offset += put.bytes.length;
        }
        segments.grow(segment, end - segment.fileBytes);
        segment.fileBytes = end;
      } catch (error) {
        this.#context.complain("write", error);
        // Nobody knows how much of it was written.
        if (segment !== undefined) this.seal(segment);
        return false;
      }
    }
    return true;
  }

  async #segmentFor(kind: SegmentKind, put: Put): Promise<Segment> {
    const { segments, segmentBytes, files } = this.#context;
    const { folder, owner, entries } = this.#options;
    const active = this.#active.get(kind);
    if (active !== undefined) {
      if (active.size + put.bytes.length <= segmentBytes) return active;
      this.seal(active);
    }
    const id = segments.nextId(this.#context.wall());
    const path = `${folder}/${id}.${kind}`;
    const segment = new Segment(owner, id, kind, path);
    segment.file = await files.append(path);
    entries.segments.set(id, segment);
    this.#active.set(kind, segment);
    segments.add(segment);
    return segment;
  }

  /** No more is written to a segment. */
  seal(segment: Segment): void {
    segment.seal();
    if (this.#active.get(segment.kind) === segment) {
      this.#active.delete(segment.kind);
    }
    this.#options.entries.settle(segment);
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const joined = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
