/**
 * Purges of a shard: by URL the index tells what is meant, by prefix and tag the
 * journal does.
 *
 * @module
 */
import type { Purge } from "../cache/store.ts";
import { textKey } from "../cache/text_key.ts";
import { NONE } from "./disk_index.ts";
import type { PutView } from "./journal.ts";
import type { ShardContext } from "./shard_context.ts";
import type { ShardWriter } from "./shard_writer.ts";

/** Forgets what a purge means, and resolves to how many there were once that outlives a loss of power. */
export function purgeShard(
  purge: Purge,
  writer: ShardWriter,
  context: ShardContext,
): number | Promise<number> {
  const cancelled = writer.pending.cancel(purge);
  switch (purge.kind) {
    case "url":
      return purgeUrl(purge.url, cancelled, writer, context);
    case "all":
      return purgeAll(cancelled, writer);
    case "prefix": {
      const prefix = encoder.encode(purge.prefix);
      const means = (put: PutView) => put.hasPrefix(prefix);
      return purgeBy(means, cancelled, writer, context);
    }
    case "tag": {
      const tag = textKey(purge.tag);
      const means = (put: PutView) => put.hasTag(tag);
      return purgeBy(means, cancelled, writer, context);
    }
  }
}

function purgeUrl(
  url: string,
  cancelled: number,
  writer: ShardWriter,
  { index }: ShardContext,
): number | Promise<number> {
  const hash = textKey(url);
  let count = cancelled;
  for (let slot = index.first(hash); slot !== NONE;) {
    const next = index.after(slot);
    writer.drop(slot);
    count++;
    slot = next;
  }
  if (count === 0 && writer.settled) return 0;
  return writer.flush(true).then(() => count);
}

function purgeAll(
  cancelled: number,
  writer: ShardWriter,
): number | Promise<number> {
  const { entries } = writer;
  const count = entries.count + cancelled;
  if (count === 0 && writer.settled) return 0;
  writer.clear();
  return writer.run(async () => {
    const old = [...entries.segments.values()].filter(({ live }) => live === 0);
    await writer.write(true);
    for (const segment of old) {
      if (segment.live === 0) await writer.discard(segment);
    }
  }).then(() => count);
}

/** The journal has what the index does without: keys and tags. */
async function purgeBy(
  means: (put: PutView) => boolean,
  cancelled: number,
  writer: ShardWriter,
  { complain }: ShardContext,
): Promise<number> {
  const { entries, journal } = writer;
  if (entries.count === 0 && writer.settled) return 0;
  let count = cancelled;
  await writer.run(async () => {
    await writer.write();
    if (!journal.isOpen) return;
    const state = await journal.scan((put) => {
      if (!means(put)) return;
      const slot = entries.slotOf(put);
      if (slot === NONE) return;
      writer.drop(slot);
      count++;
    }).catch((error) => complain("read", error));
    // What it does not tell of any more can't be forgotten one by one.
    if (state !== "whole") {
      count += entries.count;
      await writer.throwAway();
    } else await writer.write(true);
  });
  return count;
}

const encoder = new TextEncoder();
