/**
 * Eviction of a segment by S3-FIFO: what was of use in it is written anew into
 * the main queue, all else goes with its file.
 *
 * @module
 */
import type { Ghosts } from "../cache/s3_fifo.ts";
import { DiskCopy } from "./disk_copy.ts";
import { decodeRecord } from "./disk_record.ts";
import type { Segment } from "./segments.ts";
import type { ShardContext } from "./shard_context.ts";
import type { ShardWriter } from "./shard_writer.ts";

/** Forgets a segment, but for what was of use. Never rejects. */
export function evictSegment(
  segment: Segment,
  ghosts: Ghosts,
  writer: ShardWriter,
  context: ShardContext,
): Promise<void> {
  return writer.run(async () => {
    if (segment.gone) return;
    writer.seal(segment);
    await rescue(segment, ghosts, writer, context);
    context.evicted(segment.live);
    await writer.discard(segment);
  });
}

async function rescue(
  segment: Segment,
  ghosts: Ghosts,
  writer: ShardWriter,
  context: ShardContext,
): Promise<void> {
  const { index, bodies } = context;
  const isNew = segment.kind === "small";
  for (const slot of new Set(segment.slots)) {
    if (index.segment(slot) !== segment.number) continue;
    const uses = index.uses(slot);
    const hash = index.hash(slot);
    if (uses <= (isNew ? 1 : 0)) {
      if (isNew) ghosts.add(hash, index.length(slot));
      continue;
    }
    const copy = new DiskCopy(slot, index.born(slot));
    const bytes = await readRecord(segment, slot, context);
    const record = bytes &&
      decodeRecord(bytes, segment.id, index.offset(slot));
    if (record === undefined || !copy.isIn(index)) continue;
    index.setUses(slot, isNew ? 0 : uses - 1);
    writer.pending.put({
      key: record.key,
      tags: record.head.tags,
      hash,
      check: index.check(slot),
      bytes: bytes!,
      body: bodies.get(slot),
      kind: "main",
      again: true,
      copy,
      done: () => {},
    });
  }
  if (writer.pending.hasPuts) await writer.write();
}

async function readRecord(
  segment: Segment,
  slot: number,
  { index, pool, traffic, complain }: ShardContext,
): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(index.length(slot));
  try {
    const count = await pool.read(segment.path, bytes, index.offset(slot));
    traffic.read += count;
    return bytes;
  } catch (error) {
    complain("read", error);
    return undefined;
  }
}
