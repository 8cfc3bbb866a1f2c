/**
 * Hit ratios of the memory store's policy beside LRU's, on Zipf traces with and
 * without scans: `deno run scripts/cache_policy.ts`.
 *
 * @module
 */
import { type Queue, type Queued, S3Fifo } from "../core/cache/s3_fifo.ts";

/** A trace: which of `objects` things is asked for next; things have sizes. */
export interface Trace {
  readonly objects: number;
  /** Zipf's exponent. */
  readonly skew: number;
  readonly requests: number;
  /** Of the requests, so many are a scan: each for something that nobody asks for again. */
  readonly scans: number;
  /** Bytes that fit, as a share of all objects' bytes. */
  readonly capacity: number;
}

/** What of the requests each policy has answered. */
export interface HitRatios {
  readonly s3fifo: number;
  readonly lru: number;
}

class Item implements Queued {
  uses = 0;
  queue: Queue<this> | undefined;
  before: this | undefined;
  behind: this | undefined;
  readonly identity: number;
  size: number;

  constructor(identity: number, size: number) {
    this.identity = identity;
    this.size = size;
  }
}

/** Plays a trace through both. The same numbers come each time. */
export function compare(trace: Trace): HitRatios {
  const random = numbers(1);
  const ranks = zipf(trace.objects, trace.skew);
  const sizeOf = (id: number) => 512 + (id * 2_654_435_761 >>> 0) % 16_384;
  let total = 0;
  for (let id = 0; id < trace.objects; id++) total += sizeOf(id);
  const capacity = total * trace.capacity;

  const fifo = new S3Fifo<Item>(capacity);
  const fifoItems = new Map<number, Item>();
  const lru = new Map<number, number>();
  let lruBytes = 0;
  let fifoHits = 0;
  let lruHits = 0;
  let scanned = trace.objects;
  for (let i = 0; i < trace.requests; i++) {
    const id = random() < trace.scans ? scanned++ : ranks(random());
    const size = sizeOf(id);

    const item = fifoItems.get(id);
    if (item !== undefined) {
      fifoHits++;
      fifo.use(item);
    } else {
      const fresh = new Item(id, size);
      fifoItems.set(id, fresh);
      fifo.add(fresh);
      for (
        let old = fifo.evict(0);
        old !== undefined;
        old = fifo.evict(0)
      ) fifoItems.delete(old.identity);
    }

    if (lru.delete(id)) lruHits++;
    else lruBytes += size;
    lru.set(id, size);
    while (lruBytes > capacity) {
      const [oldest, bytes] = lru.entries().next().value!;
      lru.delete(oldest);
      lruBytes -= bytes;
    }
  }
  return { s3fifo: fifoHits / trace.requests, lru: lruHits / trace.requests };
}

/** From a number below 1 to a rank: the inverse of Zipf's distribution. */
function zipf(objects: number, skew: number): (random: number) => number {
  const sums = new Float64Array(objects);
  let sum = 0;
  for (let i = 0; i < objects; i++) sums[i] = sum += 1 / (i + 1) ** skew;
  return (random) => {
    let low = 0;
    let high = objects - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < random * sum) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** Numbers below 1, the same for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

if (import.meta.main) {
  console.log("skew  scans  capacity  S3-FIFO  LRU");
  for (const skew of [0.7, 0.9, 1.0]) {
    for (const scans of [0, 0.2]) {
      for (const capacity of [0.01, 0.1]) {
        const { s3fifo, lru } = compare({
          objects: 100_000,
          skew,
          requests: 1_000_000,
          scans,
          capacity,
        });
        const percent = (ratio: number) => (100 * ratio).toFixed(1).padStart(6);
        console.log(
          `${skew.toFixed(1)}   ${(scans * 100).toFixed(0).padStart(3)} %  ${
            (capacity * 100).toFixed(0).padStart(5)
          } %  ${percent(s3fifo)} % ${percent(lru)} %`,
        );
      }
    }
  }
}
